// What a guest may send to its supervisor: anything. A stand-in for QEMU (a shell in the same jail) plays the guest's
// side of the link and breaks the protocol; each time the sandbox ends, says why, and leaves nothing.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { FrameType, Tag, TlvWriter, encodeFrame, isTwofoldError, newId, type SandboxId } from '@twofold/contract';
import { openCgroups } from '../../packages/daemon/src/host/cgroup/index.ts';
import { SupervisorConnection } from '../../packages/daemon/src/host/supervisor-connection.ts';
import { startSupervisor } from '../../packages/daemon/src/host/supervisor-process.ts';
import { program } from '../support/library.ts';
import { until } from '../support/until.ts';

const root = mkdtempSync('/tmp/tfg-');
const cgroups = openCgroups();
const cgroupParent = `/${root.slice('/tmp/'.length)}`;
const uid = 2_000_065_000;

after(async () => {
  await cgroups.kill(cgroupParent, AbortSignal.timeout(10_000));
  await cgroups.remove(cgroupParent, AbortSignal.timeout(10_000));
  rmSync(root, { recursive: true, force: true });
});

const hello = encodeFrame(FrameType.HELLO, 0, new TlvWriter().number(Tag.VERSION, 1).number(Tag.PID, 1).finish());

interface Lie {
  readonly name: string;
  /** What the guest sends at once. */
  readonly sends: readonly Buffer[];
  /** Sent again and again. */
  readonly forEver?: boolean;
  /** A request that waits for the guest meanwhile. */
  readonly asks?: boolean;
  /** The same, and it is the start of a process whose output nobody reads. */
  readonly runs?: boolean;
}

const header = (length: number, channel: number, type: number, zero = 0) => {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt32LE(length, 0);
  bytes.writeUInt32LE(channel, 4);
  bytes.writeUInt16LE(type, 8);
  bytes.writeUInt16LE(zero, 10);
  return bytes;
};

const lies: readonly Lie[] = [
  { name: 'a payload of four gigabytes', sends: [header(0xffffffff, 0, FrameType.HELLO)] },
  { name: 'a header whose last word is not zero', sends: [header(0, 0, FrameType.HELLO, 7)] },
  {
    name: 'another version of the protocol',
    sends: [encodeFrame(FrameType.HELLO, 0, new TlvWriter().number(Tag.VERSION, 99).finish())],
  },
  {
    name: 'a list that ends in the middle, as its first word',
    sends: [encodeFrame(FrameType.HELLO, 0, Buffer.from([4, 0, 0, 0, 255, 255, 255, 127, 1]))],
  },
  { name: 'hello twice', sends: [hello, hello] },
  { name: 'streams before hello', sends: [encodeFrame(FrameType.STDOUT, 1, Buffer.alloc(100))] },
  { name: 'an answer on a channel that nobody opened', sends: [hello, encodeFrame(FrameType.REPLY, 77)] },
  {
    name: 'a stream in place of an answer',
    sends: [
      hello,
      encodeFrame(FrameType.STDOUT, 1, Buffer.alloc(10)),
      encodeFrame(FrameType.STDOUT, 2, Buffer.alloc(10)),
    ],
    asks: true,
  },
  {
    name: 'output without end, beyond every window',
    sends: [hello, encodeFrame(FrameType.STDOUT, 1, Buffer.alloc(65_536))],
    forEver: true,
  },
  // An end of output takes none of its window: held without a bound, it would fill the host's memory.
  {
    name: 'the end of an output again and again',
    sends: [
      hello,
      encodeFrame(FrameType.REPLY, 1, new TlvWriter().number(Tag.PID, 5).finish()),
      encodeFrame(FrameType.STDOUT, 1),
      encodeFrame(FrameType.STDOUT, 1),
    ],
    runs: true,
  },
  {
    name: 'an exit before the end of the output',
    sends: [
      hello,
      encodeFrame(FrameType.REPLY, 1, new TlvWriter().number(Tag.PID, 5).finish()),
      encodeFrame(FrameType.EXIT, 1, new TlvWriter().number(Tag.EXIT_CODE, 0).finish()),
    ],
    runs: true,
  },
  {
    name: 'events without end',
    sends: [
      hello,
      encodeFrame(FrameType.EVENT, 1, new TlvWriter().string(Tag.EVENT, 'exited').string(Tag.CONTAINER, 'x').finish()),
      encodeFrame(FrameType.EVENT, 3),
    ],
    forEver: true,
  },
];

/** A supervisor whose guest is a shell script that has `files` in its root. */
async function startGuest(script: string, files: Readonly<Record<string, Buffer>>): Promise<string> {
  const id = newId<SandboxId>();
  const directory = join(root, id.slice(0, 12));
  mkdirSync(directory, { mode: 0o700 });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content, { mode: 0o644 });
  const plan = new TlvWriter()
    .string(Tag.CONTAINER, id)
    .string(Tag.PATH, join(directory, 'socket'))
    .string(Tag.TYPE, 'hyperv')
    .strings(Tag.CGROUP, cgroups.create(`${cgroupParent}/${id.slice(0, 12)}/supervisor`, 'tracking'))
    .strings(Tag.TARGET, cgroups.create(`${cgroupParent}/${id.slice(0, 12)}/worker`, 'tracking'))
    .strings(Tag.ARG, ['/usr/bin/sh', '-c', script])
    .number(Tag.UID, uid)
    .number(Tag.GID, uid)
    .number(Tag.LENGTH, 1 << 20);
  const applets = ['sh', 'cat', 'sleep', 'dd'].map((applet) => ['/bin/busybox', `/usr/bin/${applet}`]);
  for (const [source, path] of [
    ...applets,
    ...Object.keys(files).map((name) => [join(directory, name), `/${name}`]),
    ['/dev/null', '/dev/null'],
  ]) {
    plan.list(Tag.MOUNT, (mount) => mount.string(Tag.SOURCE, source!).string(Tag.PATH, path!));
  }
  writeFileSync(join(directory, 'sandbox.plan'), plan.finish());
  await startSupervisor(
    { program: program('twofold-supervisor'), directory, timeoutMs: 10_000 },
    AbortSignal.timeout(10_000),
  );
  return directory;
}

async function play(lie: Lie): Promise<{ reason: string; directory: string }> {
  const say = 'cat /lie >&3';
  const script =
    lie.runs === true
      ? `sleep 1; ${say}; sleep 60`
      : lie.forEver === true
        ? `while ${say}; do :; done; sleep 60`
        : `${say}; sleep 60`;
  const directory = await startGuest(script, { lie: Buffer.concat(lie.sends) });
  using connection = new SupervisorConnection(join(directory, 'socket'));
  if (lie.asks === true)
    await assert.rejects(
      connection.request(FrameType.CONFIGURE, new TlvWriter(), AbortSignal.timeout(20_000)),
      (error) => isTwofoldError(error),
    );
  if (lie.runs === true)
    await connection.openStreams(
      FrameType.TOOL,
      new TlvWriter().strings(Tag.ARG, ['true']),
      { stdin: false, output: false },
      AbortSignal.timeout(10_000),
    );
  // The supervisor may have ended already: then its last words are in its file.
  await connection.gone(AbortSignal.timeout(20_000));
  return { reason: readFileSync(join(directory, 'supervisor.err'), 'utf8'), directory };
}

/**
 * What the supervisor said last of a guest that starts a container well, may tell its exit, and then sends output for
 * ever and reads nothing.
 */
async function flood({ exits, watched }: { exits: boolean; watched: boolean }): Promise<string> {
  const container = 'c'.repeat(64);
  const target = () => new TlvWriter().string(Tag.CONTAINER, container);
  const bytes = (payload: TlvWriter) => encodeFrame(FrameType.REPLY, 1, payload.finish()).length;
  // Channels in the order in which the supervisor opens them: PREPARE, which waits for HELLO, then its own WATCH, then
  // START.
  const [prepare, watch, start] = [1, 2, 3];
  const exited = encodeFrame(FrameType.EVENT, watch, target().string(Tag.EVENT, 'exited').finish());
  const output = encodeFrame(FrameType.STDOUT, start, Buffer.alloc(65_536));
  const read = (count: number) => `dd bs=1 count=${count} of=/dev/null <&3 2>/dev/null`;
  const directory = await startGuest(
    `sleep 1; cat /hello >&3; ${read(bytes(target()) + 12)}; cat /prepared >&3; ${read(12 + bytes(target()))}; cat /started >&3; while cat /flood >&3; do :; done; sleep 60`,
    {
      hello,
      prepared: encodeFrame(FrameType.REPLY, prepare),
      started: Buffer.concat([
        encodeFrame(FrameType.REPLY, start, new TlvWriter().number(Tag.PID, 5).finish()),
        ...(exits ? [exited] : []),
      ]),
      flood: Buffer.concat(Array.from({ length: 128 }, () => output)),
    },
  );
  using connection = new SupervisorConnection(join(directory, 'socket'));
  const within = AbortSignal.timeout(30_000);
  await connection.request(FrameType.PREPARE, target(), within);
  // Given streams, and never asked for what comes.
  const attached = watched
    ? await connection.openStreams(FrameType.ATTACH, target(), { stdin: false, output: true }, within)
    : null;
  await connection.request(FrameType.START, target(), within).catch(() => undefined); // the end may be faster than the answer
  await connection.gone(within);
  await attached?.streams[Symbol.asyncDispose]();
  return readFileSync(join(directory, 'supervisor.err'), 'utf8');
}

test("a guest that tells an exit cannot fill the supervisor's memory with what a slow client doesn't read", async () => {
  assert.match(await flood({ exits: true, watched: true }), /exceeded its window/);
});

test('a guest that never hears that its output has been taken cannot make the supervisor tell it again and again', async () => {
  assert.match(await flood({ exits: false, watched: false }), /exceeded its window/);
});

describe('a guest that sends', () => {
  for (const lie of lies) {
    test(`${lie.name} loses its VM`, async () => {
      const { reason, directory } = await play(lie);
      assert.match(reason, lie.runs === true ? /output after its end|before the end of the output/ : /guest|link/i);
      await until(
        'nothing of it is left',
        () => cgroups.processes(`${cgroupParent}/${directory.split('/').at(-1)!}`).length === 0,
      );
    });
  }
});
