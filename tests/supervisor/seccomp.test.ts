// The seccomp filter as the kernel gets it, under both isolations: the same bytes. They are carried out here, so that
// calls of 32-bit programs are asked about too, on machines that run none.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultCapabilities } from '../../packages/daemon/src/engine/containers/spec/capabilities.ts';
import { seccompFor } from '../../packages/daemon/src/engine/containers/spec/seccomp.ts';
import { compileSeccomp } from '../../packages/daemon/src/host/seccomp.ts';
import { program } from '../support/library.ts';

const x86_64 = { arch: 0xc000003e, socket: 41, socketpair: 53 };
const i386 = { arch: 0x40000003, socket: 359, socketpair: 360, socketcall: 102 };
const allow = 0x7fff0000;
const refuse = (errno: number) => 0x00050000 + errno;

/** Families that have a reason not to be there; docs/decisions/0019-families-of-sockets.md. */
const refused = [12, 19, 20, 23, 25, 34, 37, 38, 40];

/** What the filter answers to a call: the few instructions that libseccomp uses, over `struct seccomp_data`. */
function answer(filter: Buffer, arch: number, call: number, argument: bigint): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(call, 0);
  data.writeUInt32LE(arch, 4);
  data.writeBigUInt64LE(argument, 16);
  let accumulator = 0;
  for (let at = 0; at < filter.length / 8; at += 1) {
    const [code, yes, no, k] = [
      filter.readUInt16LE(at * 8),
      filter[at * 8 + 2]!,
      filter[at * 8 + 3]!,
      filter.readUInt32LE(at * 8 + 4),
    ];
    const jump = (taken: boolean) => (at += taken ? yes : no);
    if (code === 0x20) accumulator = data.readUInt32LE(k);
    else if (code === 0x54) accumulator = (accumulator & k) >>> 0;
    else if (code === 0x05) at += k;
    else if (code === 0x15) jump(accumulator === k);
    else if (code === 0x25) jump(accumulator > k);
    else if (code === 0x35) jump(accumulator >= k);
    else if (code === 0x45) jump((accumulator & k) !== 0);
    else if (code === 0x06) return k;
    else assert.fail(`the filter has an instruction ${code.toString(16)} that is not known here`);
  }
  return assert.fail('the filter has no end');
}

const filter = () =>
  compileSeccomp(
    program('twofold-seccomp'),
    seccompFor({ kind: 'default' }, false, {
      architecture: 'amd64',
      capabilities: defaultCapabilities,
      kernelRelease: '6.12.0',
    })!,
    'SCMP_ARCH_X86_64',
  );

const skip = process.arch !== 'x64' && 'the numbers are those of x86';

test(
  'sockets are made of families that have a namespace, and of no other, however the number is written',
  { skip },
  async () => {
    const bytes = await filter();
    for (const { arch, ...calls } of [x86_64, i386])
      for (const call of [calls.socket, calls.socketpair])
        for (let family = 0; family < 64; family += 1) {
          const expected = family > 45 || refused.includes(family) ? refuse(38) : allow;
          assert.equal(answer(bytes, arch, call, BigInt(family)), expected, `family ${family} of ${arch.toString(16)}`);
          // The kernel takes the lower half of the register.
          if (arch === x86_64.arch)
            assert.notEqual(answer(bytes, arch, call, (1n << 32n) + BigInt(family)), allow, `family 2^32 + ${family}`);
        }
  },
);

test('socketcall makes no socket, since its family cannot be seen, and does the rest', { skip }, async () => {
  const bytes = await filter();
  const answers = Array.from({ length: 20 }, (_, index) =>
    answer(bytes, i386.arch, i386.socketcall, BigInt(index + 1)),
  );
  assert.deepEqual(
    answers,
    Array.from({ length: 20 }, (_, index) => ([1, 8].includes(index + 1) ? refuse(38) : allow)),
  );
});
