// Owns how the CLI prints: tables for people, JSON for programs, colours only on a terminal.

import { InvalidArgumentError, Option } from 'commander';

export type Format = 'table' | 'json';

/** `--format table|json`, for every command that lists something. */
export function formatOption(): Option {
  return new Option('--format <format>', 'table for people, json for programs').default('table').argParser((text): Format => {
    if (text !== 'table' && text !== 'json') throw new InvalidArgumentError('It is table or json.');
    return text;
  });
}

/** Columns padded to their widest cell, Docker's three spaces apart. */
export function renderTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = titles.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)));
  return [titles, ...rows].map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('   ').trimEnd()).join('\n');
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Progress and notices: not part of a command's answer. */
export function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}

const colours = { red: 31, green: 32, yellow: 33, bold: 1, dim: 2 } as const;

export function paint(colour: keyof typeof colours, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return stream.isTTY && process.env['NO_COLOR'] === undefined ? `\x1b[${colours[colour]}m${text}\x1b[0m` : text;
}
