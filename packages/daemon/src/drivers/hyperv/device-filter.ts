// Owns the compiling of OCI's device rules into the program that the guest's kernel asks for each opening of a device
// node (cgroup v2 has no files for it). Pure. Without it a container that may make nodes could write to its VM's disks
// behind their file systems.

import type { OciResources } from '@twofold/contract';

type Rule = NonNullable<OciResources['devices']>[number];

// linux/bpf.h: struct bpf_insn { u8 code; u8 dst:4, src:4; s16 off; s32 imm }, struct bpf_cgroup_dev_ctx { u32
// access_type, major, minor }.
const code = {
  load32: 0x61,
  move: 0xb7,
  moveRegister: 0xbf,
  and: 0x57,
  shiftRight: 0x77,
  jumpIfNot: 0x55,
  jumpIfNotRegister: 0x5d,
  exit: 0x95,
} as const;
const register = { result: 0, context: 1, type: 2, access: 3, major: 4, minor: 5, scratch: 6 } as const;
const types: Readonly<Record<string, number>> = { b: 1, c: 2 };
const accesses: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };
const everyAccess = 7;

/**
 * An array of struct bpf_insn, or null where everything is allowed. The last rule that fits decides; none that fits
 * denies.
 */
export function deviceFilter(rules: readonly Rule[]): Buffer | null {
  const last = rules.at(-1);
  if (last === undefined || (last.allow && fitsAlways(last))) return null;
  const program: Buffer[] = [
    instruction(code.load32, register.type, register.context, 0),
    instruction(code.moveRegister, register.access, register.type),
    instruction(code.and, register.type, 0, 0, 0xffff),
    instruction(code.shiftRight, register.access, 0, 0, 16),
    instruction(code.load32, register.major, register.context, 4),
    instruction(code.load32, register.minor, register.context, 8),
  ];
  // What stands before a rule that fits always is never asked, and the kernel's verifier refuses what cannot be
  // reached.
  const always = rules.findLastIndex((rule) => fitsAlways(rule));
  for (const rule of rules.slice(Math.max(always, 0)).toReversed()) program.push(...ruleCode(rule));
  if (always < 0) program.push(instruction(code.move, register.result), instruction(code.exit));
  return Buffer.concat(program);
}

function fitsAlways(rule: Rule): boolean {
  return isAny(rule.type) && !isNumber(rule.major) && !isNumber(rule.minor) && accessMask(rule) === everyAccess;
}

/** -1 stands for any, as in an absent one. */
function isNumber(value: number | undefined): value is number {
  return value !== undefined && value >= 0;
}

function ruleCode(rule: Rule): Buffer[] {
  const end = [instruction(code.move, register.result, 0, 0, rule.allow ? 1 : 0), instruction(code.exit)];
  // Each test jumps behind the rule when it fails; its distance is known once what follows is.
  const tests: ((distance: number) => Buffer[])[] = [];
  if (!isAny(rule.type))
    tests.push((distance) => [instruction(code.jumpIfNot, register.type, 0, distance, types[rule.type!]!)]);
  if (accessMask(rule) !== everyAccess) {
    tests.push((distance) => [
      instruction(code.moveRegister, register.scratch, register.access),
      instruction(code.and, register.scratch, 0, 0, accessMask(rule)),
      instruction(code.jumpIfNotRegister, register.scratch, register.access, distance),
    ]);
  }
  if (isNumber(rule.major))
    tests.push((distance) => [instruction(code.jumpIfNot, register.major, 0, distance, rule.major!)]);
  if (isNumber(rule.minor))
    tests.push((distance) => [instruction(code.jumpIfNot, register.minor, 0, distance, rule.minor!)]);
  let body = end;
  for (const test of tests.toReversed()) body = [...test(body.length), ...body];
  return body;
}

function isAny(type: string | undefined): boolean {
  return type === undefined || type === 'a';
}

function accessMask({ access }: Rule): number {
  return access === undefined || access === ''
    ? everyAccess
    : [...access].reduce((mask, letter) => mask | (accesses[letter] ?? 0), 0);
}

function instruction(op: number, to: number = 0, from: number = 0, offset = 0, value = 0): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt8(op, 0);
  bytes.writeUInt8((from << 4) | to, 1);
  bytes.writeInt16LE(offset, 2);
  bytes.writeInt32LE(value, 4);
  return bytes;
}
