// Owns what a conversion would do, in sentences, and why it may not be done. Pure. Does not do it: convert.ts does.

import { TwofoldError, type Isolation } from '@twofold/contract';
import type { ContainerRecord, ConversionPlan, RequestedIsolation } from '../engine.ts';
import { judge } from '../lifecycle.ts';

export interface Target {
  readonly isolation: Isolation;
  /** The word that it was asked for by. */
  readonly requested: RequestedIsolation;
  /** Size of the utility VM, where there is one. */
  readonly machine: { readonly memoryBytes: number; readonly cpus: number } | null;
  /** '', 'kvm' or 'tcg'. */
  readonly accelerator: string;
  /** Why the machine, or the container's settings, don't allow that isolation. */
  readonly obstacle: string | null;
}

/** What carrying `record` over to `target` means. */
export function planConversion(record: ContainerRecord, target: Target): ConversionPlan {
  const to = target.isolation;
  const same = record.isolation === to;
  const verdict = judge('convert', record.life, record);
  const refusals = [
    ...(verdict.is === 'refused' && !(same && verdict.code === 'container-running') ? [verdict.message] : []),
    ...(same || target.obstacle === null ? [] : [target.obstacle]),
  ];
  if (same) {
    return {
      from: to,
      to,
      carries: [],
      changes:
        record.requestedIsolation === target.requested
          ? []
          : [
              `It already has isolation ${to}; the requested isolation changes from "${record.requestedIsolation}" to "${target.requested}".`,
            ],
      refusals,
    };
  }
  return {
    from: record.isolation,
    to,
    refusals,
    carries: [
      'Every file that it wrote, changed or deleted, with mode, owner, times, links and extended attributes.',
      'Its name, both ids, configuration, limits, labels, network and restart policy.',
      'Its log.',
    ],
    changes: [
      to === 'hyperv'
        ? `It runs in its own utility VM (${machine(target)}), with its own kernel; the host no longer sees its processes.`
        : 'It runs on the host’s kernel, in namespaces; the host sees its processes.',
      'Inode numbers, and times of last access and of last change of state, are new.',
    ],
  };
}

/** Throws what a plan refuses. */
export function insist(plan: ConversionPlan, record: ContainerRecord): void {
  const verdict = judge('convert', record.life, record);
  if (verdict.is === 'refused') throw new TwofoldError(verdict.code, verdict.message);
  if (plan.refusals.length > 0) throw new TwofoldError('unsupported', plan.refusals.join(' '));
}

function machine(target: Target): string {
  const size =
    target.machine === null
      ? ''
      : `${Math.round(target.machine.memoryBytes / (1 << 20))} MiB, ${target.machine.cpus} CPU${target.machine.cpus === 1 ? '' : 's'}, `;
  return `${size}${target.accelerator === 'tcg' ? 'emulated: slow, and not a security boundary' : target.accelerator}`;
}
