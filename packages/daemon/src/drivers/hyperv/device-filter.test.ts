import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deviceFilter } from './device-filter.ts';

const everything = { allow: true, access: 'rwm' } as const;
const nothing = { allow: false, access: 'rwm' } as const;

/** Runs the program as the kernel would, for the few instructions that it is made of. */
function allowed(program: Buffer, type: 'b' | 'c', major: number, minor: number, access: string): boolean {
  const accessBits = [...access].reduce((bits, letter) => bits | { m: 1, r: 2, w: 4 }[letter]!, 0);
  const context = [(accessBits << 16) | (type === 'b' ? 1 : 2), major, minor];
  const registers: number[] = Array(11).fill(0);
  for (let at = 0; ; at++) {
    const op = program.readUInt8(at * 8);
    const to = program.readUInt8(at * 8 + 1) & 15;
    const from = program.readUInt8(at * 8 + 1) >> 4;
    const offset = program.readInt16LE(at * 8 + 2);
    const value = program.readInt32LE(at * 8 + 4);
    if (op === 0x61) registers[to] = context[offset / 4]!;
    else if (op === 0xb7) registers[to] = value;
    else if (op === 0xbf) registers[to] = registers[from]!;
    else if (op === 0x57) registers[to]! &= value;
    else if (op === 0x77) registers[to]! >>>= value;
    else if (op === 0x55) at += registers[to] === value ? 0 : offset;
    else if (op === 0x5d) at += registers[to] === registers[from] ? 0 : offset;
    else if (op === 0x95) return registers[0] === 1;
    else assert.fail(`instruction ${op} is unknown`);
  }
}

test('a container that may open everything has no filter', () => {
  assert.equal(deviceFilter([everything]), null);
  assert.equal(deviceFilter([nothing, everything]), null);
  assert.equal(deviceFilter([]), null);
});

test("Docker's rules let every node be made and few be opened", () => {
  const program = deviceFilter([
    nothing,
    { allow: true, type: 'c', access: 'm' },
    { allow: true, type: 'b', access: 'm' },
    { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
    { allow: true, type: 'c', major: 136, access: 'rwm' },
  ])!;
  assert.equal(allowed(program, 'c', 1, 3, 'rw'), true);
  assert.equal(allowed(program, 'c', 136, 7, 'rw'), true);
  assert.equal(allowed(program, 'b', 254, 0, 'm'), true);
  assert.equal(allowed(program, 'b', 254, 0, 'r'), false);
  assert.equal(allowed(program, 'b', 254, 0, 'mr'), false);
  assert.equal(allowed(program, 'c', 1, 1, 'r'), false);
});

test('the last rule that fits decides', () => {
  const program = deviceFilter([everything, { allow: false, type: 'b', major: 8, minor: 0, access: 'w' }])!;
  assert.equal(allowed(program, 'b', 8, 0, 'w'), false);
  assert.equal(allowed(program, 'b', 8, 0, 'r'), true);
  assert.equal(allowed(program, 'b', 8, 1, 'w'), true);
});
