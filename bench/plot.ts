// Owns the picture of a run: one panel per work, one bar per engine, as SVG without a library. Measures nothing.

import { judge, type Verdict } from './goals.ts';
import { digits, type Results } from './report.ts';
import { ratioOf, type Row } from './row.ts';

const width = 860;
const label = 210;
const room = width - label - 240;
const bar = 20;
const legendColumns = 2;
const peerColours = ['#7a869a', '#a3adbd', '#2f6fb7', '#c2571a', '#d98b52', '#e8b98f', '#5b8f4a', '#8a6fb0', '#9aa05a'];
const partColours = ['#9fb8d6', '#2f6fb7', '#5b8f4a', '#c2571a', '#b9a17a', '#8a6fb0'];

/** The results as an SVG document. Bars of one work share a scale. */
export function plot(results: Results): string {
  const { machine, rows } = results;
  const peers = [...new Set(rows.map(({ peer }) => peer))];
  const parts: string[] = [];
  let y = 72;
  for (const [work, each] of Map.groupBy(rows, (row) => row.work)) {
    parts.push(
      text(
        10,
        y + 14,
        `${work} (${each[0]!.unit}${each[0]!.unit === 'MiB/s' || each[0]!.unit === 'containers' ? ', more is better' : ''})`,
        'work',
      ),
    );
    y += 24;
    const goals = new Map(each.map((row) => [row, judge(row, rows).find(({ goal }) => goal.part === undefined)]));
    const most = Math.max(
      ...each.map((row) => Math.max(row.summary.high, row.summary.figure, ...limits(row, goals.get(row), rows))),
    );
    for (const row of each) {
      parts.push(
        ...drawn(
          row,
          y,
          (value) => (value / most) * room,
          goals.get(row),
          rows,
          peerColours[peers.indexOf(row.peer) % peerColours.length]!,
        ),
      );
      y += bar;
      // What stacked parts are is told below their bar.
      if (stacked(row)) parts.push(...legend(row, (y += 4)));
      if (stacked(row)) y += 14 * Math.ceil(Object.keys(row.parts!).length / legendColumns);
    }
    y += 12;
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y + 6}" font-family="sans-serif" font-size="12">`,
    '<style>.work{font-weight:bold}.small{fill:#666;font-size:11px}.head{font-size:15px;font-weight:bold}.missed{fill:#b00020}.met{fill:#2e7d32}</style>',
    '<rect width="100%" height="100%" fill="#fff"/>',
    text(10, 20, 'Twofold beside dockerd and podman', 'head'),
    text(
      10,
      38,
      `${results.began.slice(0, 10)}: ${machine.cpus} × ${machine.model}, Linux ${machine.kernel}, accelerator ${results.accelerator}`,
      'small',
    ),
    text(
      10,
      54,
      'Bars: median (memory, idle: mean); whisker: 10 % to 90 %; in brackets: ratio to dockerd with runc; ticks: the goal to reach (solid) and to aim at (dashed)',
      'small',
    ),
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function drawn(
  row: Row,
  y: number,
  scale: (value: number) => number,
  verdict: Verdict | undefined,
  rows: readonly Row[],
  colour: string,
): string[] {
  const { figure, low, high } = row.summary;
  const middle = y + bar / 2 - 2;
  const ratio = ratioOf(row, rows);
  const end = label + scale(Math.max(high, figure, ...limits(row, verdict, rows))) + 8;
  const mark =
    verdict === undefined
      ? ''
      : `<tspan class="${verdict.mark === 'missed' ? 'missed' : 'met'}" dx="6">${{ aim: '✓✓', reach: '✓', missed: `✗ by ${verdict.offPercent.toFixed(0)} %` }[verdict.mark]}</tspan>`;
  return [
    text(label - 8, middle + 4, row.peer, '', 'end'),
    ...pieces(row, colour).map(
      ({ from, size, fill }) =>
        `<rect x="${(label + scale(from)).toFixed(1)}" y="${y}" width="${Math.max(0.5, scale(size)).toFixed(1)}" height="${bar - 5}" fill="${fill}"/>`,
    ),
    `<path d="M${(label + scale(low)).toFixed(1)} ${middle}H${(label + scale(high)).toFixed(1)}" stroke="#222"/>`,
    ...limits(row, verdict, rows).map(
      (limit, index) =>
        `<path d="M${(label + scale(limit)).toFixed(1)} ${y - 2}v${bar - 1}" stroke="#111" stroke-width="1.5"${index === 0 ? '' : ' stroke-dasharray="3 2"'}/>`,
    ),
    `<text x="${end.toFixed(1)}" y="${middle + 4}">${digits(figure)}${ratio === null ? '' : ` (${ratio.toFixed(2)})`}${mark}</text>`,
  ];
}

/** Where the goal lies on the row's own scale: to reach, to aim at. */
function limits(row: Row, verdict: Verdict | undefined, rows: readonly Row[]): number[] {
  if (verdict === undefined) return [];
  const {
    goal: { reach, aim, of },
  } = verdict;
  const unit = of === 'ratio' ? row.summary.figure / ratioOf(row, rows)! : 1;
  return [reach, ...(aim === undefined ? [] : [aim])].map((limit) => limit * unit);
}

function stacked(row: Row): boolean {
  return Object.keys(row.parts ?? {}).length > 1;
}

function pieces(row: Row, colour: string): { from: number; size: number; fill: string }[] {
  if (!stacked(row)) return [{ from: 0, size: row.summary.figure, fill: colour }];
  let from = 0;
  return Object.values(row.parts!).map((size, index) => {
    const piece = { from, size, fill: partColours[index % partColours.length]! };
    from += size;
    return piece;
  });
}

function legend(row: Row, y: number): string[] {
  return Object.entries(row.parts!).flatMap(([name, value], index) => {
    const [x, line] = [label + (index % legendColumns) * 270, y + Math.floor(index / legendColumns) * 14];
    return [
      `<rect x="${x}" y="${line - 1}" width="8" height="8" fill="${partColours[index % partColours.length]!}"/>`,
      text(x + 12, line + 7, `${name} ${digits(value)}`, 'small'),
    ];
  });
}

function text(x: number, y: number, words: string, style: string, anchor = 'start'): string {
  const escaped = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `<text x="${x}" y="${y}"${style === '' ? '' : ` class="${style}"`}${anchor === 'start' ? '' : ` text-anchor="${anchor}"`}>${escaped}</text>`;
}
