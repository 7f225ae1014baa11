// Owns how results are told: a table on the terminal, and what the JSON holds. Measures nothing.

import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import type { Verdict } from './goals.ts';
import { judge } from './goals.ts';
import type { Missing } from './peer.ts';
import { ratioOf, type Row } from './row.ts';

export interface Results {
  /** RFC 3339. */
  readonly began: string;
  readonly machine: Machine;
  readonly accelerator: string;
  /** Every Twofold daemon's flags, and what the VMs' workers were started with. */
  readonly settings: { readonly daemon: string; readonly worker: string; readonly bench: string };
  readonly versions: Readonly<Record<string, string>>;
  readonly missing: readonly Missing[];
  readonly rows: readonly Row[];
}

export interface Machine {
  readonly cpus: number;
  readonly model: string;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly distribution: string;
  /** Over 1, 5 and 15 minutes. */
  readonly load: readonly number[];
}

/** The machine as it is now: before anything is measured. */
export function describeMachine(): Machine {
  const distribution = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux';
  return {
    cpus: cpus().length,
    model: cpus()[0]?.model ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    distribution,
    load: loadavg(),
  };
}

/** The results as text. */
export function render(results: Results): string {
  const { machine, settings, rows } = results;
  const facts: [string, string][] = [
    [
      'machine',
      `${machine.cpus} × ${machine.model}, ${machine.memoryGiB} GiB, ${machine.distribution}, Linux ${machine.kernel}`,
    ],
    ['load before', machine.load.map((load) => load.toFixed(2)).join(' ')],
    ['accelerator', results.accelerator],
    ['twofoldd', settings.daemon],
    ["VMs' workers", settings.worker],
    ['bench', settings.bench],
    ...Object.entries(results.versions),
    ...results.missing.map(({ what, why }): [string, string] => ['MISSING', `${what}: ${why}`]),
  ];
  const lines = facts.map(([name, value]) => `${name.padEnd(17)}${value}`);
  for (const [work, each] of Map.groupBy(rows, (row) => row.work)) {
    lines.push(
      '',
      `${work.padEnd(44)}${'figure'.padStart(11)}${'10 %'.padStart(9)}${'90 %'.padStart(9)}${'n'.padStart(4)}${'ratio'.padStart(7)}`,
    );
    for (const row of each) lines.push(...told(row, rows));
  }
  return [...lines, '', ...summed(rows)].join('\n');
}

function told(row: Row, rows: readonly Row[]): string[] {
  const verdicts = judge(row, rows);
  const { figure, low, high, count } = row.summary;
  const ratio = ratioOf(row, rows);
  const parts = Object.entries(row.parts ?? {}).map(
    ([name, value]) =>
      `    ${name.padEnd(37)}${digits(value).padStart(10)}${goalText(verdicts.find(({ goal }) => goal.part === name))}`,
  );
  return [
    `  ${row.peer.padEnd(36)}${`${digits(figure)} ${row.unit}`.padStart(17)}${digits(low).padStart(9)}${digits(high).padStart(9)}${String(count).padStart(4)}${(ratio === null ? '' : ratio.toFixed(2)).padStart(7)}${goalText(verdicts.find(({ goal }) => goal.part === undefined))}`,
    ...parts,
  ];
}

/** `  ≤ 0.35 (0.25)  ✓✓ aim`. */
function goalText(verdict: Verdict | undefined): string {
  if (verdict === undefined) return '';
  const { goal, mark, offPercent } = verdict;
  const wanted = `${goal.more === true ? '≥' : '≤'} ${goal.reach}${goal.aim === undefined ? '' : `, aim ${goal.aim}`}`;
  const met = goal.aim === undefined ? 'met' : 'reached';
  return `  ${wanted.padEnd(16)} ${{ aim: '✓✓ aim met', reach: `✓ ${met}`, missed: `✗ missed by ${offPercent.toFixed(0)} %` }[mark]}`;
}

function summed(rows: readonly Row[]): string[] {
  const verdicts = rows.flatMap((row) => judge(row, rows));
  const count = (mark: Verdict['mark']): number => verdicts.filter((verdict) => verdict.mark === mark).length;
  return verdicts.length === 0
    ? []
    : [
        `Goals measured: ${verdicts.length}; ${count('missed')} missed, ${count('reach')} reached, ${count('aim')} with their aim.`,
      ];
}

export function digits(value: number): string {
  return value.toFixed(value < 10 ? 2 : value < 1000 ? 1 : 0);
}
