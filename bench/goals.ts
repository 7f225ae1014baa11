// Owns what the figures are held against, and the judgement. A ratio is to dockerd with runc (of `ps`: to the docker
// CLI) in the same run.

import { ratioOf, titles, type Row, type Title } from './row.ts';

export interface Goal {
  readonly work: Title;
  readonly peer: string;
  /** One part of the row's sum instead of its figure. */
  readonly part?: string;
  readonly of: 'ratio' | 'figure';
  readonly reach: number;
  readonly aim?: number;
  readonly more?: true;
}

const process = 'twofold process';
const hyperv = 'twofold hyperv';

export const goals: readonly Goal[] = [
  { work: titles.start, peer: process, of: 'ratio', reach: 0.35, aim: 0.25 },
  { work: titles.start, peer: hyperv, of: 'ratio', reach: 0.5, aim: 0.3 },
  { work: titles.start, peer: `${hyperv}, no VM waiting`, of: 'ratio', reach: 1.5, aim: 1 },
  { work: titles.start, peer: `${hyperv}, no VM waiting, a clone`, of: 'ratio', reach: 1.5 },
  { work: titles.exec, peer: process, of: 'ratio', reach: 0.6, aim: 0.4 },
  { work: titles.exec, peer: hyperv, of: 'ratio', reach: 1, aim: 0.6 },
  { work: titles.burst, peer: process, of: 'ratio', reach: 0.5, aim: 0.35 },
  { work: titles.burst, peer: hyperv, of: 'ratio', reach: 2, aim: 1 },
  { work: titles.stream, peer: process, of: 'ratio', reach: 1, aim: 1.5, more: true },
  { work: titles.memory, peer: hyperv, of: 'figure', reach: 56, aim: 45 },
  { work: titles.memory, peer: hyperv, part: 'guest pages dirtied by the guest', of: 'figure', reach: 10 },
  { work: titles.memory, peer: hyperv, part: 'supervisor', of: 'figure', reach: 1 },
  { work: titles.withoutTranslation, peer: hyperv, of: 'figure', reach: 32, aim: 20 },
  { work: titles.engineMemory, peer: process, of: 'figure', reach: 2 },
  { work: titles.daemonMemory, peer: 'twofold', of: 'figure', reach: 150 },
  { work: titles.idle, peer: hyperv, of: 'figure', reach: 0.5, aim: 0.3 },
  { work: titles.alive, peer: hyperv, of: 'figure', reach: 100, more: true },
  { work: titles.stop, peer: hyperv, of: 'figure', reach: 100 },
  { work: titles.startUp, peer: 'twofold', of: 'figure', reach: 500 },
  { work: titles.list, peer: 'twofold CLI', of: 'ratio', reach: 1.5 },
];

export interface Verdict {
  readonly goal: Goal;
  readonly measured: number;
  readonly mark: 'aim' | 'reach' | 'missed';
  /** How far it is from `reach`, in per cent of it; below 0 where it is better. */
  readonly offPercent: number;
}

/** What `row` was held against: nothing, its figure, some of its parts. A ratio without its reference is not judged. */
export function judge(row: Row, rows: readonly Row[], held: readonly Goal[] = goals): Verdict[] {
  return held
    .filter(({ work, peer }) => work === row.work && peer === row.peer)
    .flatMap((goal) => {
      const measured =
        goal.part === undefined
          ? goal.of === 'ratio'
            ? ratioOf(row, rows)
            : row.summary.figure
          : (row.parts?.[goal.part] ?? null);
      if (measured === null) return [];
      const meets = (limit: number | undefined): boolean =>
        limit !== undefined && (goal.more === true ? measured >= limit : measured <= limit);
      const offPercent = (goal.more === true ? 1 - measured / goal.reach : measured / goal.reach - 1) * 100;
      return [{ goal, measured, mark: meets(goal.aim) ? 'aim' : meets(goal.reach) ? 'reach' : 'missed', offPercent }];
    });
}
