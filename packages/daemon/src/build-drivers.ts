// Owns the making of the drivers for this machine, or the reason why one of them can't be had. Part of the builder.

import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Isolation } from '@twofold/contract';
import type { Driver } from './drivers/driver.ts';
import { HypervDriver } from './drivers/hyperv/driver.ts';
import { ProcessDriver } from './drivers/process/driver.ts';
import { guestFacts, imageArchitecture, readHostFacts, type HostFacts } from './engine/containers/spec/host-facts.ts';
import { openCgroups } from './host/cgroup/index.ts';
import { runCommand } from './host/command.ts';
import type { Settings } from './settings.ts';
import type { Database } from './state/database.ts';

export interface BuiltDrivers {
  readonly drivers: ReadonlyMap<Isolation, Driver | { readonly missing: string }>;
  /** Of the kernel that each isolation runs on. */
  readonly facts: ReadonlyMap<Isolation, HostFacts>;
  readonly cgroupVersion: '1' | '2';
  readonly runtimeVersion: string;
  readonly accelerator: string;
  /** Sentences for `docker info` and the log. */
  readonly warnings: readonly string[];
}

/** Never throws for one isolation's sake: the other may do. */
export async function buildDrivers(settings: Settings, _log: Logger, _database: Database): Promise<BuiltDrivers> {
  const cgroups = openCgroups();
  const where = { cgroupVersion: cgroups.version, cgroupParent: settings.cgroupParent };
  const [host, runtimeVersion] = await Promise.all([readHostFacts(where), versionOf(settings.runtime)]);
  const drivers = new Map<Isolation, Driver | { missing: string }>();
  const facts = new Map<Isolation, HostFacts>([['process', host]]);
  const warnings: string[] = [];
  if (runtimeVersion === '') drivers.set('process', { missing: `the OCI runtime ${settings.runtime} cannot be run` });
  else {
    const program = (name: string) => join(settings.libRoot, 'bin', name);
    drivers.set(
      'process',
      new ProcessDriver({
        supervisor: program('twofold-supervisor'),
        layerTool: program('twofold-layer'),
        seccompTool: program('twofold-seccomp'),
        runtime: settings.runtime,
        runRoot: settings.runRoot,
        cgroups,
        cgroupParent: settings.cgroupParent,
      }),
    );
  }
  const hyperv = await HypervDriver.open(settings, cgroups);
  const kernelRelease = await hyperv.kernelRelease();
  facts.set(
    'hyperv',
    guestFacts({
      architecture: imageArchitecture(process.arch),
      kernelRelease,
      cpus: host.cpus,
      cgroupParent: settings.cgroupParent,
    }),
  );
  if (kernelRelease === '') drivers.set('hyperv', { missing: 'the utility VM has not been built: run set-up' });
  else if (hyperv.accelerator === 'tcg' && !settings.allowEmulation)
    drivers.set('hyperv', {
      missing: 'utility VMs would run under software emulation here, which the settings forbid',
    });
  else drivers.set('hyperv', hyperv);
  if (drivers.get('hyperv') === hyperv && hyperv.accelerator === 'tcg')
    warnings.push(
      "Hyper-V containers run under software emulation (TCG), which is not a security boundary: QEMU's documentation says not to rely on it.",
    );
  return { drivers, facts, cgroupVersion: cgroups.version, runtimeVersion, accelerator: hyperv.accelerator, warnings };
}

/** First line of `crun --version`; '' where it can't be run. */
async function versionOf(runtime: string): Promise<string> {
  try {
    return (await runCommand('ask the runtime for its version', [runtime, '--version'], { timeoutMs: 5_000 })).stdout
      .toString('utf8')
      .split('\n', 1)[0]!
      .trim();
  } catch {
    return '';
  }
}
