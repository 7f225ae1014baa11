// Owns a terminal's screen as text with styles, read from what `tmux capture-pane -e` writes: lines with SGR sequences
// and nothing else. Pure.

export interface Style {
  /** `#rrggbb`, or null for the terminal's own. */
  readonly foreground: string | null;
  readonly background: string | null;
  readonly bold: boolean;
  readonly faint: boolean;
  readonly underlined: boolean;
  readonly reversed: boolean;
}

/** Characters of one style that stand side by side. */
export interface Run {
  readonly column: number;
  readonly text: string;
  readonly style: Style;
}

export const plain: Style = {
  foreground: null,
  background: null,
  bold: false,
  faint: false,
  underlined: false,
  reversed: false,
};

const palette = [
  '#1d1f21',
  '#cc5c5c',
  '#7cb26f',
  '#d9b35b',
  '#6a9fd4',
  '#b48ead',
  '#6fb7b7',
  '#c8ccd0',
  '#666b70',
  '#f07178',
  '#a5d18f',
  '#ffd479',
  '#8ab8f0',
  '#d4a5d4',
  '#8fd6d6',
  '#ffffff',
];
const cubeSteps = [0, 95, 135, 175, 215, 255];

const hex = (...channels: number[]): string =>
  `#${channels.map((channel) => channel.toString(16).padStart(2, '0')).join('')}`;

/** Colour number 0–255, as terminals have it: 16 named ones, a cube of 6×6×6, 24 greys. */
function numbered(index: number): string {
  if (index < 16) return palette[index]!;
  if (index >= 232) return hex(...Array.from({ length: 3 }, () => 8 + (index - 232) * 10));
  const cube = index - 16;
  return hex(cubeSteps[Math.floor(cube / 36)]!, cubeSteps[Math.floor(cube / 6) % 6]!, cubeSteps[cube % 6]!);
}

const off: Readonly<Record<number, Partial<Style>>> = {
  0: plain,
  1: { bold: true },
  2: { faint: true },
  4: { underlined: true },
  7: { reversed: true },
  22: { bold: false, faint: false },
  24: { underlined: false },
  27: { reversed: false },
  39: { foreground: null },
  49: { background: null },
};

/** The style after one SGR sequence. What it doesn't know (blinking, italics) changes nothing. */
function after(style: Style, codes: readonly number[]): Style {
  let now = style;
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at]!;
    if (code === 38 || code === 48) {
      const colour =
        codes[at + 1] === 2
          ? hex(codes[at + 2] ?? 0, codes[at + 3] ?? 0, codes[at + 4] ?? 0)
          : numbered(codes[at + 2] ?? 0);
      now = { ...now, [code === 38 ? 'foreground' : 'background']: colour };
      at += codes[at + 1] === 2 ? 4 : 2;
    } else if (code in off) now = { ...now, ...off[code] };
    else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97))
      now = { ...now, foreground: palette[code >= 90 ? code - 82 : code - 30]! };
    else if ((code >= 40 && code <= 47) || (code >= 100 && code <= 107))
      now = { ...now, background: palette[code >= 100 ? code - 92 : code - 40]! };
  }
  return now;
}

const escapeCharacter = String.fromCharCode(0x1b);
/** An SGR sequence's numbers, or text without any. */
const pieces = new RegExp(`${escapeCharacter}\\[([\\d;]*)m|([^${escapeCharacter}]+)`, 'g');

/** The lines as runs. A style lasts beyond the end of its line. */
export function readScreen(captured: string): Run[][] {
  let style = plain;
  return captured.split('\n').map((line) => {
    const runs: Run[] = [];
    let column = 0;
    for (const [, codes, text] of line.matchAll(pieces)) {
      if (codes !== undefined) style = after(style, codes.split(';').map(Number));
      if (text === undefined) continue;
      runs.push({ column, text, style });
      column += text.length;
    }
    return runs;
  });
}

/** The lines without styles. */
export function textOf(lines: readonly (readonly Run[])[]): string[] {
  return lines.map((runs) =>
    runs
      .map(({ text }) => text)
      .join('')
      .trimEnd(),
  );
}
