import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isTwofoldError } from './errors.ts';
import { encodeFrame, FrameReader, FrameType, Tag, TlvReader, TlvWriter, type Frame } from './wire.ts';

const flat = (frames: readonly Frame[]): string[] =>
  frames.map(({ type, channel, payload }) => `${type} ${channel} ${payload.toString('hex')}`);

test('frames come out as they went in, however the bytes are cut', () => {
  const frame = fc.record({
    type: fc.constantFrom(FrameType.STDIN, FrameType.REPLY, FrameType.EXIT),
    channel: fc.nat(),
    payload: fc.uint8Array({ maxLength: 300 }),
  });
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 }),
      (frames, cuts) => {
        const bytes = Buffer.concat(frames.map(({ type, channel, payload }) => encodeFrame(type, channel, payload)));
        const reader = new FrameReader();
        const out: string[] = [];
        for (let at = 0, n = 0; at < bytes.length; n++) {
          const size = cuts[n % cuts.length]!;
          out.push(...flat(reader.push(bytes.subarray(at, at + size))));
          at += size;
        }
        assert.deepEqual(
          out,
          frames.map(({ type, channel, payload }) => `${type} ${channel} ${Buffer.from(payload).toString('hex')}`),
        );
      },
    ),
  );
});

test('an invalid header is refused', () => {
  const broken = encodeFrame(FrameType.REPLY, 0);
  broken.writeUInt32LE(2 << 20, 0);
  assert.throws(
    () => new FrameReader().push(broken),
    (error) => isTwofoldError(error, 'protocol'),
  );
});

test('lists hold strings, numbers and lists, and arbitrary bytes never do more than throw protocol', () => {
  const list = new TlvReader(
    new TlvWriter()
      .string(Tag.NAME, 'a')
      .number(Tag.UID, -5)
      .list(Tag.INTERFACE, (inner) => inner.strings(Tag.ADDRESS, ['x', 'y']))
      .finish(),
  );
  assert.equal(list.string(Tag.NAME), 'a');
  assert.equal(list.number(Tag.UID), -5);
  assert.deepEqual(list.lists(Tag.INTERFACE)[0]?.strings(Tag.ADDRESS), ['x', 'y']);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        new TlvReader(Buffer.from(bytes)).number(Tag.PID);
      } catch (error) {
        assert.ok(isTwofoldError(error, 'protocol'));
      }
    }),
  );
});
