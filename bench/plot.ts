// Owns the picture of a run: one panel per work, one bar per engine, as SVG without a library. Measures nothing.

import type { Results, Row } from './report.ts';

const WIDTH = 720;
const LABEL = 190;
const BAR = 22;
const PANEL = 36;
const colours = ['#7a869a', '#a3adbd', '#2f6fb7', '#c2571a'];

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** The results as an SVG document; bars of one work share a scale, and ratios are against `reference`. */
export function plot(results: Results, reference: string): string {
  const works = Map.groupBy(results.rows, (row) => row.work);
  const peers = [...new Set(results.rows.map((row) => row.peer))];
  let y = 52;
  const parts: string[] = [];
  for (const [work, rows] of works) {
    parts.push(`<text x="10" y="${y + 16}" class="work">${escape(work)} <tspan class="unit">(${rows[0]!.unit}${rows[0]!.unit === 'MiB/s' ? ', more is better' : ', less is better'})</tspan></text>`);
    y += PANEL - 8;
    const most = Math.max(...rows.map((row) => row.summary.high));
    const base = rows.find((row) => row.peer === reference)?.summary.median;
    for (const row of rows) {
      parts.push(bar(row, y, most, base, colours[peers.indexOf(row.peer) % colours.length]!));
      y += BAR;
    }
    y += 14;
  }
  const { machine } = results;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 10}" font-family="sans-serif" font-size="12">`,
    '<style>.work{font-weight:bold}.unit{font-weight:normal;fill:#666}.small{fill:#666;font-size:11px}</style>',
    `<rect width="100%" height="100%" fill="#fff"/>`,
    `<text x="10" y="20" font-size="15" font-weight="bold">Twofold beside dockerd and podman</text>`,
    `<text x="10" y="38" class="small">${escape(`${machine.cpus} × ${machine.model}, Linux ${machine.kernel}, accelerator ${results.accelerator}; whisker: 10 % to 90 %; ratio to ${reference}`)}</text>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function bar({ peer, summary }: Row, y: number, most: number, base: number | undefined, colour: string): string {
  const scale = (value: number): number => (value / most) * (WIDTH - LABEL - 150);
  const middle = y + BAR / 2 - 2;
  const ratio = base === undefined ? '' : ` (${(summary.median / base).toFixed(2)})`;
  return [
    `<text x="${LABEL - 8}" y="${middle + 4}" text-anchor="end">${escape(peer)}</text>`,
    `<rect x="${LABEL}" y="${y}" width="${Math.max(1, scale(summary.median)).toFixed(1)}" height="${BAR - 6}" fill="${colour}"/>`,
    `<path d="M${(LABEL + scale(summary.low)).toFixed(1)} ${middle}H${(LABEL + scale(summary.high)).toFixed(1)}" stroke="#222"/>`,
    `<text x="${(LABEL + scale(summary.high) + 8).toFixed(1)}" y="${middle + 4}">${summary.median.toFixed(summary.median < 10 ? 1 : 0)}${ratio}</text>`,
  ].join('');
}
