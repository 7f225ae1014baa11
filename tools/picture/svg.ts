// Owns the drawing of a screen as SVG without a library. Every run has its place and its width, so that the columns
// stand straight in any font. Pure.

import type { Run, Style } from './screen.ts';

const cellWidth = 8.4;
const lineHeight = 18;
const margin = 14;
const barHeight = 28;
const ink = '#c8ccd0';
const paper = '#16181b';

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
const round = (value: number): string => String(Math.round(value * 10) / 10);

function colours(style: Style): { foreground: string; background: string | null } {
  const foreground = style.foreground ?? ink;
  return style.reversed
    ? { foreground: style.background ?? paper, background: foreground }
    : { foreground, background: style.background };
}

function draw({ column, text, style }: Run, line: number): string {
  const { foreground, background } = colours(style);
  const x = margin + column * cellWidth;
  const top = barHeight + margin + line * lineHeight;
  const width = text.length * cellWidth;
  const behind =
    background === null
      ? ''
      : `<rect x="${round(x)}" y="${top}" width="${round(width)}" height="${lineHeight}" fill="${background}"/>`;
  const body = text.trimEnd();
  if (body === '') return behind;
  const look = [
    style.bold ? ' font-weight="bold"' : '',
    style.faint ? ' opacity="0.6"' : '',
    style.underlined ? ' text-decoration="underline"' : '',
  ].join('');
  return `${behind}<text x="${round(x)}" y="${top + 13}" fill="${foreground}" textLength="${round(body.length * cellWidth)}"${look}>${escape(body)}</text>`;
}

/** A window with `title` and the lines in it, `columns` wide. */
export function drawScreen(
  lines: readonly (readonly Run[])[],
  { columns, title }: { columns: number; title: string },
): string {
  const width = Math.ceil(columns * cellWidth + 2 * margin);
  const height = barHeight + 2 * margin + lines.length * lineHeight;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="Cascadia Mono, DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14" xml:space="preserve" role="img">`,
    `<title>${escape(title)}</title>`,
    `<rect width="${width}" height="${height}" rx="8" fill="${paper}"/>`,
    ...['#f0645c', '#e5b84b', '#61b852'].map(
      (colour, index) => `<circle cx="${18 + index * 18}" cy="${barHeight / 2 + 2}" r="5.5" fill="${colour}"/>`,
    ),
    `<text x="${width / 2}" y="${barHeight / 2 + 7}" fill="#8b9096" font-size="13" text-anchor="middle">${escape(title)}</text>`,
    ...lines.flatMap((runs, line) => runs.map((run) => draw(run, line)).filter((piece) => piece !== '')),
    '</svg>',
    '',
  ].join('\n');
}
