// Owns what a measurement gives, and the names of what is measured.

import type { Summary } from './statistics.ts';

export const titles = {
  start: 'docker run --rm IMAGE true',
  exec: 'docker exec C true',
  burst: 'started at once, until all answer an exec',
  stream: 'stream to standard output',
  stop: 'init killed, until its VM is gone',
  memory: 'memory per sleeping container',
  withoutTranslation: 'memory without the translation buffer',
  engineMemory: "memory of all but the container's program",
  daemonMemory: "daemon's memory with them alive",
  idle: 'an idle container, of a core',
  startUp: "daemon's start-up until its first answer",
  list: 'ps --all',
  alive: 'alive at once that answer an exec',
} as const;

export type Title = (typeof titles)[keyof typeof titles];

export interface Row {
  readonly work: Title;
  readonly unit: 'ms' | 'MiB' | 'MiB/s' | '%' | 'containers';
  readonly peer: string;
  readonly summary: Summary;
  /** Parts of a sum, by name. */
  readonly parts?: Readonly<Record<string, number>>;
}

/** In the order of the titles, and as they were measured. */
export function inOrder(rows: readonly Row[]): Row[] {
  const order: readonly string[] = Object.values(titles);
  return rows.toSorted((a, b) => order.indexOf(a.work) - order.indexOf(b.work));
}

/** Peers whose figure is 1.0 in the works that they take part in. */
const references: readonly string[] = ['dockerd + runc', 'docker CLI'];

/** Against the reference in the same work; null without one. */
export function ratioOf(row: Row, rows: readonly Row[]): number | null {
  const base = rows.find(({ work, peer }) => work === row.work && references.includes(peer));
  return base === undefined ? null : row.summary.figure / base.summary.figure;
}
