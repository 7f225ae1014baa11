import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { plain, readScreen, textOf } from './screen.ts';
import { drawScreen } from './svg.ts';

test('styles begin where they begin, end where they end, and last beyond a line', () => {
  const [first, second] = readScreen('a\x1b[1;31mbc\x1b[0m d\x1b[38;5;208me\n\x1b[48;2;1;2;3mf\x1b[39;49m');
  assert.deepEqual(first, [
    { column: 0, text: 'a', style: plain },
    { column: 1, text: 'bc', style: { ...plain, bold: true, foreground: '#cc5c5c' } },
    { column: 3, text: ' d', style: plain },
    { column: 5, text: 'e', style: { ...plain, foreground: '#ff8700' } },
  ]);
  assert.deepEqual(second, [
    { column: 0, text: 'f', style: { ...plain, foreground: '#ff8700', background: '#010203' } },
  ]);
});

test('whatever the styles, no character is lost and the picture is well formed', () => {
  const piece = fc.oneof(
    fc
      .string()
      .map((text) => text.replaceAll(/\p{Cc}/gu, ''))
      .map((text) => ({ sent: text, shown: text })),
    fc.constantFrom('\x1b[0m', '\x1b[1;7m', '\x1b[92m', '\x1b[38;5;7m', '\x1b[m').map((sent) => ({ sent, shown: '' })),
  );
  fc.assert(
    fc.property(fc.array(fc.array(piece, { maxLength: 8 }), { minLength: 1 }), (lines) => {
      const screen = readScreen(lines.map((line) => line.map(({ sent }) => sent).join('')).join('\n'));
      assert.deepEqual(
        textOf(screen),
        lines.map((line) =>
          line
            .map(({ shown }) => shown)
            .join('')
            .trimEnd(),
        ),
      );
      const svg = drawScreen(screen, { columns: 80, title: 'a & b' });
      assert.ok(!/&(?!amp;|lt;|gt;|quot;)/.test(svg));
      assert.equal(svg.match(/<text /g)?.length, svg.match(/<\/text>/g)?.length);
    }),
  );
});
