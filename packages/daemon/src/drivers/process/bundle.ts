// Owns what becomes of an OCI specification before the runtime reads it: the sandbox's root file system, namespaces and
// control group are put in. Pure.

import { TwofoldError, type ContainerId, type OciMount, type OciNamespaceType, type OciSpec } from '@twofold/contract';
import type { ProvidedFile, SandboxSpec } from '../driver.ts';

/**
 * Namespaces that belong to the sandbox: the supervisor is in them, and the runtime with all that it starts inherits
 * them.
 */
const sandboxNamespaces: readonly OciNamespaceType[] = ['network', 'ipc', 'uts'];

/** Which namespaces a sandbox's supervisor makes for itself. */
export function namespacesOf(spec: SandboxSpec): OciNamespaceType[] {
  return spec.network.mode === 'host' ? ['ipc', 'uts'] : ['network', 'ipc', 'uts'];
}

export interface BundlePlace {
  readonly container: ContainerId;
  /** Where the supervisor has mounted the root file system. */
  readonly rootfs: string;
  readonly files: readonly ProvidedFile[];
  /** By place, of each tmpfs that has the mode of the directory below. */
  readonly modes: Readonly<Record<string, number>>;
  readonly cgroupPath: string;
  /** Namespaces the sandbox has of its own. */
  readonly sandbox: readonly OciNamespaceType[];
  /** A process id in the host's namespaces: the daemon's. */
  readonly hostPid: number;
  /** The specification's seccomp profile, compiled; null: it has none. */
  readonly seccompFilter: Buffer | null;
}

/** The config.json of a container in a sandbox of kind process. */
export function runtimeSpec(spec: OciSpec, place: BundlePlace): OciSpec {
  const wanted = new Set(spec.linux.namespaces.map(({ type }) => type));
  const namespaces = spec.linux.namespaces.filter(({ type }) => !sandboxNamespaces.includes(type));
  for (const type of sandboxNamespaces) {
    const own = place.sandbox.includes(type);
    // A container that keeps the host's: back out of the sandbox's. Its network cannot be both.
    if (own && !wanted.has(type)) {
      if (type === 'network')
        throw new TwofoldError(
          'invalid-argument',
          "A container with the host's network needs a sandbox with the host's network.",
        );
      namespaces.push({ type, path: `/proc/${place.hostPid}/ns/${type}` });
    }
  }
  // The runtime refuses host names and sysctls for namespaces that it does not make; the supervisor has set both.
  const { hostname: _hostname, ...rest } = spec;
  const { sysctl: _sysctl, ...linux } = spec.linux;
  return {
    ...rest,
    // crun takes the filter as it is, which spares it a third of a start; who doesn't know the annotation compiles the
    // profile, which stays.
    ...(place.seccompFilter === null
      ? {}
      : { annotations: { ...rest.annotations, 'run.oci.seccomp_bpf_data': place.seccompFilter.toString('base64') } }),
    root: { ...spec.root, path: place.rootfs },
    mounts: [
      ...spec.mounts.map((mount) => withMode(mount, place.modes[mount.destination])),
      ...place.files.map((file) => ({
        destination: file.path,
        type: 'bind',
        source: file.source,
        // A read-only root does not reach what is bound over it.
        options: ['bind', 'rprivate', ...(spec.root.readonly ? ['ro'] : [])],
      })),
    ],
    linux: { ...linux, namespaces, cgroupsPath: place.cgroupPath },
  };
}

function withMode(mount: OciMount, mode: number | undefined): OciMount {
  return mode === undefined ? mount : { ...mount, options: [...(mount.options ?? []), `mode=${mode.toString(8)}`] };
}
