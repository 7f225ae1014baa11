import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { formatTime, LineJoiner, maxLineBytes, parseRecord, parseTime } from './format.ts';
import type { Line, LogStream } from './format.ts';
import { readLog } from './reader.ts';
import type { ReadOptions } from './reader.ts';

const root = mkdtempSync(join(tmpdir(), 'twofold-logs-'));
after(() => rmSync(root, { recursive: true }));
const never = new AbortController().signal;
const all: ReadOptions = { stdout: true, stderr: true, follow: null, tail: 'all' };
let count = 0;

/** Writes a log as the supervisor does: pieces of at most `pieceBytes`, rotation between records. */
class Writer {
  readonly path = join(root, `log-${count++}`);
  #clock = 1_700_000_000_000_000_000n;

  write(stream: LogStream, content: Buffer | string, full = true): void {
    const head = `${formatTime(this.#clock++)} ${stream} ${full ? 'F' : 'P'} `;
    appendFileSync(this.path, Buffer.concat([Buffer.from(head), Buffer.from(content), Buffer.from('\n')]));
  }

  rotate(keep = 100): void {
    for (let age = keep - 1; age >= 1; age--)
      if (existsSync(`${this.path}.${age}`)) renameSync(`${this.path}.${age}`, `${this.path}.${age + 1}`);
    if (keep === 0) rmSync(this.path);
    else renameSync(this.path, `${this.path}.1`);
    writeFileSync(this.path, '');
  }
}

/** What a descriptor of ours leads to; null when it has been closed meanwhile. */
function targetOf(fd: string): string | null {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return null;
  }
}

async function read(path: string, options: Partial<ReadOptions> = {}, signal = never): Promise<Line[]> {
  const lines: Line[] = [];
  for await (const line of readLog(path, { ...all, ...options }, signal)) lines.push(line);
  return lines;
}

const texts = (lines: readonly Line[]) =>
  lines.map((line) => `${line.stream === 'stderr' ? '!' : ''}${line.data.toString('latin1')}`);

// What a program wrote, as pieces; `end` is whether the piece ended with a newline.
const pieces = fc.array(
  fc.record({
    stream: fc.constantFrom<LogStream>('stdout', 'stderr'),
    content: fc
      .uint8Array({ maxLength: 40 })
      .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 10 ? 32 : byte)))),
    end: fc.boolean(),
    rotate: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  }),
  { maxLength: 60 },
);

/** The lines that a program with those pieces wrote, in the order in which they ended. */
function expected(
  written: readonly { stream: LogStream; content: Buffer; end: boolean }[],
  streams: readonly LogStream[],
): string[] {
  const held = new Map<LogStream, string>();
  const lines: string[] = [];
  const mark = (stream: LogStream) => (stream === 'stderr' ? '!' : '');
  for (const { stream, content, end } of written) {
    if (!streams.includes(stream)) continue;
    const text = (held.get(stream) ?? '') + content.toString('latin1');
    if (end) {
      lines.push(`${mark(stream)}${text}\n`);
      held.delete(stream);
    } else held.set(stream, text);
  }
  for (const [stream, text] of held) lines.push(`${mark(stream)}${text}`);
  return lines;
}

function writeAll(written: readonly { stream: LogStream; content: Buffer; end: boolean; rotate: boolean }[]): Writer {
  const log = new Writer();
  for (const piece of written) {
    log.write(piece.stream, piece.content, piece.end);
    if (piece.rotate) log.rotate();
  }
  return log;
}

describe('reading a log', () => {
  it('gives back exactly what was written, over any pieces and rotations', async () => {
    await fc.assert(
      fc.asyncProperty(pieces, async (written) => {
        const log = writeAll(written);
        assert.deepEqual(texts(await read(log.path)), expected(written, ['stdout', 'stderr']));
        assert.deepEqual(texts(await read(log.path, { stdout: false })), expected(written, ['stderr']));
      }),
      { numRuns: 60 },
    );
  });

  it('shows the last lines: the same as of the whole', async () => {
    await fc.assert(
      fc.asyncProperty(pieces, fc.integer({ min: 0, max: 12 }), fc.boolean(), async (written, tail, stdout) => {
        const log = writeAll(written);
        const whole = texts(await read(log.path, { stdout })).sort();
        const shown = texts(await read(log.path, { stdout, tail }));
        assert.equal(shown.length, Math.min(tail, whole.length));
        for (const line of shown) assert.ok(whole.includes(line));
        // Lines that ended with a newline: the last of them are shown, in their order. One still open counts as the
        // newest.
        const open = new Set(
          expected(written, stdout ? ['stdout', 'stderr'] : ['stderr']).filter((line) => !line.endsWith('\n')),
        );
        const closed = texts(await read(log.path, { stdout })).filter((line) => !open.has(line));
        const shownClosed = shown.filter((line) => !open.has(line));
        assert.deepEqual(shownClosed, shownClosed.length === 0 ? [] : closed.slice(-shownClosed.length));
      }),
      { numRuns: 80 },
    );
  });

  it('finds the tail of a large log without reading it all', async () => {
    const log = new Writer();
    const line = `2023-11-14T22:13:20.000000000Z stdout F ${'x'.repeat(99)}\n`;
    writeFileSync(log.path, line.repeat(500_000));
    log.write('stdout', 'last');
    const started = performance.now();
    assert.deepEqual(texts(await read(log.path, { tail: 2 })), [`${'x'.repeat(99)}\n`, 'last\n']);
    const tailMs = performance.now() - started;
    const before = process.memoryUsage().rss;
    let lines = 0;
    for await (const _ of readLog(log.path, all, never)) lines++;
    const wholeMs = performance.now() - started - tailMs;
    assert.equal(lines, 500_001);
    assert.ok(tailMs < wholeMs / 10, `${tailMs} ms against ${wholeMs} ms`);
    assert.ok(process.memoryUsage().rss - before < 200e6);
  });

  it('hands a line without an end on in pieces', async () => {
    const log = new Writer();
    const piece = Buffer.alloc(16_384, 'y');
    for (let written = 0; written < 2.5 * maxLineBytes; written += piece.length) log.write('stdout', piece, false);
    const lines = await read(log.path);
    assert.deepEqual(
      lines.map((line) => line.data.length),
      [maxLineBytes, maxLineBytes, maxLineBytes / 2],
    );
  });

  it('keeps to the times asked for', async () => {
    const log = new Writer();
    for (const text of ['a', 'b', 'c', 'd']) log.write('stdout', text);
    const start = 1_700_000_000_000_000_000n;
    assert.deepEqual(texts(await read(log.path, { since: start + 1n })), ['b\n', 'c\n', 'd\n']);
    assert.deepEqual(texts(await read(log.path, { since: start + 1n, until: start + 2n })), ['b\n', 'c\n']);
    assert.deepEqual(texts(await read(log.path, { follow: never, until: start + 2n })), ['a\n', 'b\n', 'c\n']);
  });

  it('passes over what a crash of the machine left damaged, and takes no file for an empty log', async () => {
    const log = new Writer();
    log.write('stdout', 'whole');
    appendFileSync(
      log.path,
      '\0\0\0\nstdout F no time\n2023-11-14T22:13:20.000000000Z stdin F x\n2023-11-14T22:13:20.000000000Z stdout F torn',
    );
    assert.deepEqual(texts(await read(log.path)), ['whole\n']);
    assert.deepEqual(await read(join(root, 'absent')), []);
  });
});

describe('following a log', () => {
  it('misses nothing over rotations and ends when the container has', { timeout: 30_000 }, async () => {
    const log = new Writer();
    const ended = new AbortController();
    const result = read(log.path, { follow: ended.signal });
    const want: string[] = [];
    for (let n = 0; n < 400; n++) {
      log.write('stdout', `${n}`);
      want.push(`${n}\n`);
      if (n % 37 === 0) log.rotate();
      if (n % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    log.write('stdout', 'no end', false);
    ended.abort();
    assert.deepEqual(texts(await result), [...want, 'no end']);
  });

  it('shows a line as soon as it is there, and lets go when called off', { timeout: 30_000 }, async () => {
    const log = new Writer();
    log.write('stdout', 'old');
    const stop = new AbortController();
    const lines = readLog(log.path, { ...all, follow: never, tail: 0 }, stop.signal)[Symbol.asyncIterator]();
    const first = lines.next();
    await new Promise((resolve) => setTimeout(resolve, 50));
    log.write('stderr', 'new');
    assert.deepEqual((await first).value?.data, Buffer.from('new\n'));
    const second = lines.next();
    stop.abort();
    assert.equal((await second).done, true);
  });

  it('holds no file that it has read out', { timeout: 30_000 }, async () => {
    const log = new Writer();
    const ended = new AbortController();
    const lines = readLog(log.path, { ...all, follow: ended.signal }, never)[Symbol.asyncIterator]();
    for (let n = 0; n < 20; n++) {
      log.write('stdout', `${n}`);
      assert.equal((await lines.next()).value?.data.toString(), `${n}\n`);
      log.rotate();
    }
    const held = readdirSync('/proc/self/fd').filter((fd) => targetOf(fd)?.startsWith(`${log.path}`));
    assert.ok(held.length <= 2, `${held.length} files of the log are open`);
    ended.abort();
    await lines.next();
  });

  it('goes on where it can when files were thrown away', { timeout: 30_000 }, async () => {
    const log = new Writer();
    const ended = new AbortController();
    log.write('stdout', 'a');
    const lines = readLog(log.path, { ...all, follow: ended.signal }, never)[Symbol.asyncIterator]();
    assert.deepEqual((await lines.next()).value?.data, Buffer.from('a\n'));
    log.rotate(0);
    log.write('stdout', 'b');
    assert.deepEqual((await lines.next()).value?.data, Buffer.from('b\n'));
    ended.abort();
    assert.equal((await lines.next()).done, true);
  });
});

describe('the form of a log', () => {
  it('writes and reads times to the nanosecond', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 4_000_000_000_000_000_000n }), (time) => {
        assert.equal(parseTime(formatTime(time)), time);
      }),
    );
    assert.equal(parseTime('2023-11-14T23:13:20.5+01:00'), 1_700_000_000_500_000_000n);
    assert.equal(parseTime('yesterday'), null);
  });

  it('takes the time of a line’s first piece', () => {
    const joiner = new LineJoiner();
    assert.equal(joiner.push(parseRecord(Buffer.from('2023-11-14T22:13:20.000000001Z stdout P a'))!), null);
    const line = joiner.push(parseRecord(Buffer.from('2023-11-14T22:13:20.000000002Z stdout F '))!);
    assert.deepEqual([line?.time, line?.data.toString()], ['2023-11-14T22:13:20.000000001Z', 'a\n']);
  });
});
