// Owns the shapes of the daemon's answers, as far as clients of the house use them. Docker's spelling;
// docs/api-extensions.md has the rest.

import type { ContainerConfig, HostConfig, Isolation, NetworkAdapter } from '@twofold/contract';

export type Labels = Readonly<Record<string, string>>;

export interface EndpointSummary {
  readonly NetworkID: string;
  readonly IPAddress: string;
  readonly IPPrefixLen: number;
  readonly Gateway: string;
  readonly MacAddress: string;
  readonly Aliases: readonly string[] | null;
}

export type ContainerStatus = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';

export interface ContainerSummary {
  readonly Id: string;
  /** With a leading slash. */
  readonly Names: readonly string[];
  readonly Image: string;
  readonly ImageID: string;
  readonly Command: string;
  /** Unix seconds. */
  readonly Created: number;
  readonly State: ContainerStatus;
  readonly Status: string;
  readonly Labels: Labels;
  readonly SizeRw?: number;
  readonly SizeRootFs?: number;
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, EndpointSummary>> };
  /** `StartedAt` is '' unless it runs. */
  readonly Twofold: {
    readonly Isolation: Isolation;
    readonly RequestedIsolation: 'default' | Isolation;
    readonly StartedAt: string;
  };
}

export interface ContainerDetails {
  readonly Id: string;
  readonly Created: string;
  readonly Path: string;
  readonly Args: readonly string[];
  readonly State: {
    readonly Status: ContainerStatus;
    readonly Running: boolean;
    readonly Paused: boolean;
    readonly Restarting: boolean;
    readonly OOMKilled: boolean;
    readonly Dead: boolean;
    readonly Pid: number;
    readonly ExitCode: number;
    readonly Error: string;
    readonly StartedAt: string;
    readonly FinishedAt: string;
  };
  readonly Image: string;
  /** With a leading slash. */
  readonly Name: string;
  readonly RestartCount: number;
  readonly LogPath: string;
  readonly HostConfig: HostConfig & { readonly Isolation: 'default' | Isolation };
  readonly Config: ContainerConfig;
  readonly NetworkSettings: {
    readonly IPAddress: string;
    readonly Networks: Readonly<Record<string, EndpointSummary>>;
  };
  readonly Twofold: {
    readonly Guid: string;
    readonly Isolation: Isolation;
    readonly RequestedIsolation: 'default' | Isolation;
    readonly Accelerator: string;
    readonly Machine: { readonly MemoryBytes: number; readonly Cpus: number } | null;
    readonly Adapters: readonly NetworkAdapter[];
    readonly SealedLayers: readonly { readonly DiffId: string; readonly SizeBytes: number }[];
  };
}

export interface Conversion {
  readonly From: Isolation;
  readonly To: Isolation;
  readonly Carries: readonly string[];
  readonly Changes: readonly string[];
  readonly Refusals: readonly string[];
  readonly DryRun: boolean;
}

export interface ExecDetails {
  readonly ID: string;
  readonly ContainerID: string;
  readonly Running: boolean;
  readonly ExitCode: number | null;
  readonly Pid: number;
}

export interface PathStat {
  readonly name: string;
  readonly size: number;
  /** Go's os.FileMode bits. */
  readonly mode: number;
  readonly mtime: string;
  readonly linkTarget: string;
}

export interface ImageSummary {
  readonly Id: string;
  readonly ParentId: string;
  readonly RepoTags: readonly string[];
  /** Unix seconds. */
  readonly Created: number;
  readonly Size: number;
  readonly Labels: Labels | null;
}

export interface ImageDetails {
  readonly Id: string;
  readonly RepoTags: readonly string[];
  readonly Created: string;
  readonly Architecture: string;
  readonly Os: string;
  readonly Size: number;
  readonly Config: ContainerConfig;
  readonly RootFS: { readonly Layers: readonly string[] };
}

export interface ImageStep {
  readonly Id: string;
  readonly Created: number;
  readonly CreatedBy: string;
  readonly Tags: readonly string[] | null;
  readonly Size: number;
  readonly Comment: string;
}

export interface Progress {
  readonly stream?: string;
  readonly status?: string;
}

export interface NetworkDetails {
  readonly Id: string;
  readonly Name: string;
  readonly Created: string;
  readonly Driver: string;
  readonly Internal: boolean;
  readonly IPAM: {
    readonly Config: readonly { readonly Subnet: string; readonly Gateway: string; readonly IPRange?: string }[];
  };
  readonly Labels: Labels;
  readonly Containers: Readonly<
    Record<string, { readonly Name: string; readonly IPv4Address: string; readonly MacAddress: string }>
  >;
}

export interface Switch {
  readonly Id: string;
  readonly Name: string;
  readonly SwitchType: 'NAT' | 'Internal';
  readonly Bridge: string;
  readonly Subnet: string;
  readonly Gateway: string;
  readonly BuiltIn: boolean;
  readonly Endpoints: readonly {
    readonly AdapterId: string;
    readonly ContainerId: string;
    readonly ContainerName: string;
    readonly MacAddress: string;
    readonly Addresses: readonly string[];
  }[];
}

export interface DaemonEvent {
  readonly Type: 'container' | 'image' | 'network' | 'daemon';
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  /** Unix seconds. */
  readonly time: number;
  /** Rounded by JavaScript's numbers to about 200 ns. */
  readonly timeNano: number;
}

export interface DaemonInfo {
  readonly ID: string;
  readonly Containers: number;
  readonly ContainersRunning: number;
  readonly ContainersPaused: number;
  readonly ContainersStopped: number;
  readonly Images: number;
  readonly ServerVersion: string;
  readonly KernelVersion: string;
  readonly OperatingSystem: string;
  readonly NCPU: number;
  readonly MemTotal: number;
  readonly DockerRootDir: string;
  readonly CgroupVersion: '1' | '2';
  readonly Warnings: readonly string[] | null;
  /** Names and values: layers, accelerator, waiting VMs. */
  readonly DriverStatus: readonly (readonly [string, string])[];
  readonly Twofold: {
    readonly DefaultIsolation: Isolation;
    readonly Accelerator: string;
    readonly RuntimeVersion: string;
  };
}

export interface DaemonVersion {
  readonly Version: string;
  readonly ApiVersion: string;
  readonly MinAPIVersion: string;
  readonly GitCommit: string;
  readonly KernelVersion: string;
  readonly Os: string;
  readonly Arch: string;
}
