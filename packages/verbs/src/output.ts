// Owns how verbs print: tables for people, JSON for programs, colours only on a terminal.

import { printable } from '@twofold/contract/printable.ts';
import type { Client, Output } from './client.ts';

/** Columns padded to their widest cell, Docker's three spaces apart. */
export function renderTable(titles: readonly string[], cells: readonly (readonly string[])[]): string {
  // A command's words are a container's own, and a line is a line.
  const rows = cells.map((row) => row.map((cell) => printable(cell).replace(/[\t\n]/g, ' ')));
  const widths = titles.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  return [titles, ...rows]
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('   ')
        .trimEnd(),
    )
    .join('\n');
}

/** A line, or several, of a verb's answer. */
export function print(client: Client, text: string): Promise<void> {
  return client.stdout.write(`${text}\n`);
}

/** Each on a line of its own, and nothing at all where there is none. */
export async function printEach(client: Client, texts: readonly string[]): Promise<void> {
  if (texts.length > 0) await print(client, texts.join('\n'));
}

const colours = { red: 31, green: 32, yellow: 33, bold: 1, dim: 2 } as const;

/** `text` in a colour, where `output` has colours. */
export function paint(colour: keyof typeof colours, text: string, output: Output): string {
  return output.colours ? `\x1b[${colours[colour]}m${text}\x1b[0m` : text;
}
