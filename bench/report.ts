// Owns how results are told: a table on the terminal, and JSON. Measures nothing.

import { loadavg, cpus, release, totalmem } from 'node:os';
import type { MissingPeer } from './peer.ts';
import type { Summary } from './statistics.ts';

export interface Row {
  readonly work: string;
  readonly unit: 'ms' | 'MiB' | 'MiB/s';
  readonly peer: string;
  readonly summary: Summary;
  /** Parts of a sum, by name. */
  readonly parts?: Record<string, number>;
}

export interface Results {
  readonly machine: { readonly cpus: number; readonly model: string; readonly memoryGiB: number; readonly kernel: string; readonly load: readonly number[] };
  readonly accelerator: string;
  readonly versions: Record<string, string>;
  readonly missing: readonly MissingPeer[];
  readonly rows: readonly Row[];
}

/** The machine as it is while the bench runs. */
export function describeMachine(): Results['machine'] {
  return { cpus: cpus().length, model: cpus()[0]?.model ?? 'unknown', memoryGiB: Math.round(totalmem() / 2 ** 30), kernel: release(), load: loadavg() };
}

/** The results as text; ratios are against `reference` within the same work. */
export function render(results: Results, reference: string): string {
  const { machine } = results;
  const lines = [
    `machine      ${machine.cpus} × ${machine.model}, ${machine.memoryGiB} GiB, Linux ${machine.kernel}, load ${machine.load.map((l) => l.toFixed(2)).join(' ')}`,
    `accelerator  ${results.accelerator}`,
    ...Object.entries(results.versions).map(([peer, version]) => `${peer.padEnd(20)} ${version}`),
    ...results.missing.map((peer) => `${peer.name.padEnd(20)} missing: ${peer.why}`),
    '',
    `${'work'.padEnd(34)}${'engine'.padEnd(20)}${'median'.padStart(12)}${'10 %'.padStart(10)}${'90 %'.padStart(10)}${'ratio'.padStart(8)}`,
  ];
  for (const row of results.rows) {
    const base = results.rows.find((r) => r.work === row.work && r.peer === reference)?.summary.median;
    const ratio = base === undefined ? '' : (row.summary.median / base).toFixed(2);
    const figure = (value: number): string => value.toFixed(1);
    lines.push(`${row.work.padEnd(34)}${row.peer.padEnd(20)}${`${figure(row.summary.median)} ${row.unit}`.padStart(12)}${figure(row.summary.low).padStart(10)}${figure(row.summary.high).padStart(10)}${ratio.padStart(8)}`);
    for (const [name, value] of Object.entries(row.parts ?? {})) lines.push(`${''.padEnd(54)}${figure(value).padStart(8)} MiB ${name}`);
  }
  return lines.join('\n');
}
