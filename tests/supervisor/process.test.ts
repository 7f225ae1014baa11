// What only process isolation has: namespaces with the host's kernel, a supervisor that is asked nonsense, frozen
// control groups, many layers, log rotation, a veth in the sandbox.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { encodeFrame, FrameType, isTwofoldError, Tag, TlvWriter } from '@twofold/contract';
import type { ProcessDriver } from '../../packages/daemon/src/drivers/process/driver.ts';
import {
  collect,
  deadline,
  describeContainer,
  execOf,
  prepare,
  processOf,
  remove,
  run,
  specOf,
  type Container,
} from '../conformance/bench.ts';
import { layer } from '../conformance/image.ts';
import { logTexts } from '../conformance/log.ts';
import { processCandidate } from '../conformance/process-candidate.ts';
import { childrenOf, isAlive, processEntries, processLink, processName, processText } from '../support/processes.ts';
import { until } from '../support/until.ts';

const candidate = processCandidate();
const within = { timeoutMs: candidate.timeoutMs, everyMs: 10 };
let driver: ProcessDriver;

before(async () => {
  driver = await candidate.open();
});

/** Described, and not yet dropped. */
const standing = new Set<Container>();

function describeOne(change?: Parameters<typeof describeContainer>[1]): Container {
  const container = describeContainer(candidate, change);
  standing.add(container);
  return container;
}

async function drop(container: Container): Promise<void> {
  await remove(driver, container);
  standing.delete(container);
}

// A test that fails leaves the next ones nothing to fall over.
afterEach(async () => {
  for (const container of standing) await drop(container);
});

after(async () => {
  await driver[Symbol.asyncDispose]();
  assert.deepEqual(await candidate.leftovers(), []);
  candidate.remove();
});

/** Prepares and starts `sleep`, and tells the supervisor's process id too. */
async function sleeping(container: Container): Promise<{ supervisorPid: number; pid: number }> {
  const { supervisorPid } = await driver.createSandbox(container.sandbox, deadline(candidate));
  await driver.createContainer(container.spec, deadline(candidate));
  const { pid } = await driver.startContainer(
    container.ref,
    specOf(container, processOf(['sleep', '1000'])),
    { openStdin: false, stdinOnce: false },
    deadline(candidate),
  );
  return { supervisorPid, pid };
}

test('a supervisor that is killed takes a paused container with it, and an exec in it', async () => {
  const container = describeOne();
  const { supervisorPid, pid } = await sleeping(container);
  const exec = await driver.exec(
    execOf(container),
    { process: processOf(['sleep', '1000']), stdin: false },
    { attached: false },
    deadline(candidate),
  );
  await driver.pause(container.ref);
  process.kill(supervisorPid, 'SIGKILL');
  await until('both processes to be gone', () => !isAlive(pid) && !isAlive(exec.pid), within);
  await drop(container);
});

test('a further process is wholly where the container is: namespaces, control groups, filter, rights', async () => {
  const container = describeOne();
  const { pid } = await sleeping(container);
  const { pid: further } = await driver.exec(
    execOf(container),
    { process: processOf(['sleep', '1000']), stdin: false },
    { attached: false },
    deadline(candidate),
  );
  for (const name of ['mnt', 'pid', 'ipc', 'uts', 'net', 'cgroup', 'user'])
    assert.equal(processLink(further, `ns/${name}`), processLink(pid, `ns/${name}`) ?? 'gone', name);
  const groups = (id: number) => processText(id, 'cgroup');
  assert.equal(groups(further), groups(pid));
  const rights = (id: number) =>
    (processText(id, 'status') ?? '')
      .split('\n')
      .filter((line) => /^(Cap\w+|Seccomp|NoNewPrivs|Uid|Gid|Groups|Umask|SigBlk|SigIgn):/.test(line));
  assert.deepEqual(rights(further), rights(pid));
  await drop(container);
});

test('a further process has no descriptor but its streams, and a program that nobody can change', async () => {
  const container = describeOne();
  const { supervisorPid } = await sleeping(container);
  const { streams } = await driver.exec(
    execOf(container),
    { process: processOf(['ls', '/proc/self/fd']), stdin: false },
    { attached: true },
    deadline(candidate),
  );
  assert.equal(
    (await collect(streams!)).stdout.toString().trim().split(/\s+/).join(' '),
    '0 1 2 3',
    'three streams, and what ls reads',
  );
  // A file that runs refuses to be written anyhow; its mode is asked of the mount alone.
  assert.throws(() => chmodSync(`/proc/${supervisorPid}/exe`, 0o755), { code: 'EROFS' });
  await drop(container);
});

test('a keeper that is killed is replaced', async () => {
  const container = describeOne();
  const { supervisorPid } = await sleeping(container);
  const keeper = () => childrenOf(supervisorPid).find((pid) => processName(pid) === 'twofold-keeper');
  const first = await until('the keeper', keeper, within);
  process.kill(first, 'SIGKILL');
  await until('another keeper', () => [undefined, first].includes(keeper()) === false, within);
  await drop(container);
});

test('nonsense on its socket ends the conversation and nothing else', async () => {
  const container = describeOne();
  const { supervisorPid } = await sleeping(container);
  const descriptors = () => processEntries(supervisorPid, 'fd').length;
  const atFirst = descriptors();
  const types = Object.values(FrameType).filter((type) => type !== FrameType.SHUTDOWN);
  const ids = new TlvWriter()
    .string(Tag.CONTAINER, container.ref.container)
    .string(Tag.EXEC, 'none')
    .number(Tag.SIGNAL, 999)
    .finish();
  const pieces = [
    ...Array.from({ length: 40 }, (_, index) => randomBytes(1 + index * 31)),
    ...types.flatMap((type) => [
      encodeFrame(type, 0, randomBytes(33)),
      encodeFrame(type, 0, ids),
      encodeFrame(type, 7, ids),
      encodeFrame(type, 0, Buffer.alloc(70_000)),
    ]),
    Buffer.from('ffffffff0000000001000000', 'hex'),
    Buffer.concat([
      encodeFrame(FrameType.STATE, 0),
      encodeFrame(FrameType.STATE, 0),
      encodeFrame(FrameType.STDIN, 0, Buffer.from('x')),
    ]),
  ];
  await Promise.all(pieces.map((piece) => say(join(container.sandbox.directory, 'socket'), piece)));
  await until('every conversation to be forgotten', () => descriptors() <= atFirst, within);
  const { streams } = await driver.exec(
    execOf(container),
    { process: processOf(['echo', 'alive']), stdin: false },
    { attached: true },
    deadline(candidate),
  );
  assert.equal((await collect(streams!)).stdout.toString(), 'alive\n');
  await drop(container);
});

function say(path: string, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve());
    socket.once('data', () => socket.end(bytes)).resume();
  });
}

test('a hundred and twenty layers lie over each other', async () => {
  const container = describeOne();
  // The kernel wants them to be different mounts, not different contents.
  const [top, base] = candidate.layers as [(typeof candidate.layers)[0], (typeof candidate.layers)[0]];
  const many = Array.from({ length: 119 }, (_, index) => ({ path: top.path, name: `layer${'0'.repeat(20)}${index}` }));
  const spec = { ...container.spec, rootfs: { ...container.spec.rootfs, layers: [...many, base] } };
  await prepare(candidate, driver, { ...container, spec });
  const streams = await driver.attach(container.ref, { stdin: false, stdout: true, stderr: true }, deadline(candidate));
  await driver.startContainer(
    container.ref,
    specOf(container, processOf(['cat', '/etc/layer'])),
    { openStdin: false, stdinOnce: false },
    deadline(candidate),
  );
  assert.equal((await collect(streams)).stdout.toString(), 'top\n');
  await drop(container);
});

test('a layer whose mount is missing is refused, not taken for an empty one', async () => {
  const container = describeOne();
  await driver.createSandbox(container.sandbox, deadline(candidate));
  await driver.releaseLayers(new Set());
  await assert.rejects(
    driver.createContainer(
      {
        ...container.spec,
        rootfs: { ...container.spec.rootfs, layers: [{ path: '/nowhere.erofs', name: 'nowhere' }] },
      },
      deadline(candidate),
    ),
    (error) => isTwofoldError(error),
  );
  await drop(container);
});

test('a layer whose image is gone is unmounted with the next sandbox that ends, and not before', async () => {
  const file = join(candidate.root, 'images', 'short-lived.erofs');
  copyFileSync(candidate.layers[0]!.path, file);
  const container = describeOne();
  await prepare(candidate, driver, {
    ...container,
    spec: {
      ...container.spec,
      rootfs: { ...container.spec.rootfs, layers: [{ path: file, name: 'shortlived' }, candidate.layers[1]!] },
    },
  });
  const isMounted = () => readFileSync('/proc/self/mountinfo', 'utf8').includes('layers/shortlived ');
  assert.equal(isMounted(), true);
  rmSync(file);
  await drop(container);
  assert.equal(isMounted(), false);
});

test('a log rotates between lines and keeps as many files as it may', async () => {
  const base = describeOne();
  const container = { ...base, spec: { ...base.spec, log: { ...base.spec.log!, maxBytes: 100_000, maxFiles: 3 } } };
  const { streams } = await run(candidate, driver, ['seq', '1', '30000'], { container });
  const { stdout } = await collect(streams);
  const { path } = container.spec.log;
  const files = [`${path}.2`, `${path}.1`, path];
  assert.equal(existsSync(`${path}.3`), false);
  for (const file of files) assert.ok(readFileSync(file).length < 200_000, file);
  const kept = Buffer.concat(files.map((file) => logTexts(readFileSync(file)).stdout));
  assert.ok(stdout.subarray(-kept.length).equals(kept));
  await drop(container);
});

test('a disk that is full stops the log, not the container, and leaves whole records', async () => {
  const small = join(candidate.root, 'small');
  mkdirSync(small);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', small]);
  try {
    const base = describeOne();
    const container = {
      ...base,
      spec: {
        ...base.spec,
        log: { path: join(small, 'container.log'), maxBytes: 0, maxFiles: 1, minimumFreeBytes: 0 },
      },
    };
    const { streams } = await run(candidate, driver, ['seq', '1', '100000'], { container });
    const { stdout } = await collect(streams);
    assert.equal((await streams.exit).code, 0);
    const { stdout: logged } = logTexts(readFileSync(container.spec.log.path));
    assert.ok(logged.length > 10_000 && logged.length < stdout.length);
    assert.ok(stdout.subarray(0, 10_000).equals(logged.subarray(0, 10_000)));
    await drop(container);
  } finally {
    execFileSync('umount', ['--lazy', small]);
  }
});

test('below the minimum of free space output is not logged, and the container goes on', async () => {
  const small = join(candidate.root, 'kept-free');
  mkdirSync(small);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', small]);
  try {
    const base = describeOne();
    const log = { path: join(small, 'container.log'), maxBytes: 0, maxFiles: 1, minimumFreeBytes: 5 << 20 };
    const container = { ...base, spec: { ...base.spec, log } };
    const { streams } = await run(candidate, driver, ['seq', '1', '500000'], { container });
    const { stdout } = await collect(streams);
    assert.equal((await streams.exit).code, 0);
    assert.equal(stdout.toString().split('\n').length, 500_001);
    const { bavail, bsize } = statfsSync(small);
    assert.ok(bavail * bsize > 3 << 20, 'what is kept free is free but for a last piece');
    assert.ok(logTexts(readFileSync(log.path)).stdout.length > 100_000);
    const complaints = readFileSync(join(container.sandbox.directory, 'supervisor.err'), 'utf8');
    assert.equal(complaints.match(/too little space is left on the disk/g)?.length, 1, complaints);
    await drop(container);
  } finally {
    execFileSync('umount', ['--lazy', small]);
  }
});

test('a log that cannot be opened anew after a rotation is tried again', async () => {
  const base = describeOne();
  const [here, away] = [join(candidate.root, 'rotated'), join(candidate.root, 'rotated-away')];
  mkdirSync(here);
  const log = { path: join(here, 'container.log'), maxBytes: 1000, maxFiles: 2, minimumFreeBytes: 0 };
  const container = { ...base, spec: { ...base.spec, log } };
  const { streams } = await run(candidate, driver, ['cat'], { container, stdin: true });
  const output = collect(streams);
  const say = (word: string) => streams.stdin!.write(`${word}\n`);
  const logged = (word: string) => existsSync(log.path) && readFileSync(log.path, 'utf8').includes(word);
  say('first');
  await until('the log has a line', () => logged('first'));
  renameSync(here, away);
  for (let n = 0; n < 100; n++) say('x'.repeat(100));
  const complaints = () => readFileSync(join(container.sandbox.directory, 'supervisor.err'), 'utf8');
  await until('the supervisor could not open it', () => {
    say('again');
    return complaints().includes('is not logged');
  });
  renameSync(away, here);
  await until('it is logged again', () => {
    say('at last');
    return logged('at last');
  });
  streams.stdin!.end();
  await output;
  await drop(container);
});

test('an image whose passwd is a pipe, a device or a way out is refused or read inside the image', async () => {
  const variants: [name: string, make: (file: string) => void, expected: RegExp | null][] = [
    ['passwdpipe', (file) => execFileSync('mkfifo', [file]), /not a file of reasonable size/],
    ['passwdzero', (file) => execFileSync('mknod', [file, 'c', '1', '5']), /not a file of reasonable size/],
    [
      'passwdlink',
      (file) => symlinkSync('../../../../../../etc/passwd-', file),
      /unable to find user alice: no matching entries in passwd file/,
    ],
    ['passwdloop', (file) => symlinkSync('passwd', file), /cannot read the image's/],
    ['passwdgood', (file) => symlinkSync('/etc/passwd2', file), null],
  ];
  for (const [name, make, expected] of variants) {
    const top = layer(join(candidate.root, 'images'), name, (root) => {
      mkdirSync(join(root, 'etc'));
      make(join(root, 'etc', 'passwd'));
      writeFileSync(
        join(root, 'etc', 'passwd2'),
        'short\n::::::\nalice:x:99999999999:5::/x:\nalice:x:77:78:x:/there:/bin/sh:more:fields\n',
      );
    });
    const container = describeOne({ user: 'alice' });
    await driver.createSandbox(container.sandbox, deadline(candidate));
    const attempt = driver.createContainer(
      { ...container.spec, rootfs: { ...container.spec.rootfs, layers: [top, ...candidate.layers] } },
      deadline(candidate),
    );
    if (expected === null) assert.deepEqual(await attempt, { uid: 77, gid: 78, groups: [29, 78], home: '/there' });
    else
      await assert.rejects(
        attempt,
        (error) => isTwofoldError(error, 'invalid-argument') && expected.test(error.message),
      );
    await drop(container);
  }
});

test('a container and an exec in it have session keyrings of their own', async (t) => {
  const source = join(candidate.root, 'keyring.c');
  const program = join(candidate.root, 'keyring');
  writeFileSync(
    source,
    // KEYCTL_GET_KEYRING_ID of KEY_SPEC_SESSION_KEYRING.
    `#include <stdio.h>
     #include <sys/syscall.h>
     long syscall(long, ...);
     int main(void) { return printf("%ld\\n", syscall(SYS_keyctl, 0, -3, 0)) < 0; }`,
  );
  execFileSync('musl-gcc', ['-static', '-idirafter', '/usr/include', '-o', program, source]);
  const ours = execFileSync(program, { encoding: 'utf8' });
  if (ours === '-1\n') return t.skip('the kernel keeps no keys');
  const top = layer(join(candidate.root, 'images'), 'keyring', (root) => {
    mkdirSync(join(root, 'bin'));
    copyFileSync(program, join(root, 'bin', 'keyring'));
    chmodSync(join(root, 'bin', 'keyring'), 0o755);
  });
  const seen = [ours];
  for (let one = 0; one < 2; one++) {
    const base = describeOne();
    const container: Container = {
      ...base,
      spec: { ...base.spec, rootfs: { ...base.spec.rootfs, layers: [top, ...candidate.layers] } },
    };
    const { streams } = await run(candidate, driver, ['sh', '-c', 'keyring; sleep 1000'], { container });
    for await (const { data } of streams.output) {
      seen.push(data.toString());
      break;
    }
    const exec = await driver.exec(
      execOf(container),
      { process: processOf(['keyring']), stdin: false },
      { attached: true },
      deadline(candidate),
    );
    seen.push((await collect(exec.streams!)).stdout.toString());
    await drop(container);
  }
  for (const id of seen) assert.match(id, /^[1-9][0-9]*\n$/);
  assert.equal(new Set(seen).size, 5, seen.join(''));
});

test('the end of a veth in the sandbox takes its name, address and route', async () => {
  const base = describeOne();
  const name = `tfcv${randomBytes(3).toString('hex')}`;
  const container: Container = {
    ...base,
    sandbox: {
      ...base.sandbox,
      network: {
        mode: 'attached',
        interfaces: [
          {
            name: 'eth0',
            hostName: name,
            mac: '02:42:0a:c9:00:02',
            addresses: ['10.199.7.2/24', 'fd00:7::2/64'],
            gateway: '10.199.7.1',
            mtu: 1400,
          },
        ],
      },
    },
  };
  const { netnsPid } = await driver.createSandbox(container.sandbox, deadline(candidate));
  execFileSync('ip', [
    'link',
    'add',
    name,
    'type',
    'veth',
    'peer',
    'name',
    `${name}p`,
    'address',
    '02:42:0a:c9:00:02',
    'netns',
    String(netnsPid),
  ]);
  await driver.createContainer(container.spec, deadline(candidate));
  await driver.configureNetwork(container.ref.sandbox, container.sandbox, deadline(candidate));
  const streams = await driver.attach(container.ref, { stdin: false, stdout: true, stderr: true }, deadline(candidate));
  await driver.startContainer(
    container.ref,
    specOf(container, processOf(['sh', '-c', 'ip addr; ip route'])),
    { openStdin: false, stdinOnce: false },
    deadline(candidate),
  );
  const shown = (await collect(streams)).stdout.toString();
  for (const part of [
    / eth0@if\d+: .*mtu 1400/,
    /02:42:0a:c9:00:02/,
    /inet 10\.199\.7\.2\/24 brd 10\.199\.7\.255/,
    /inet6 fd00:7::2\/64/,
    /default via 10\.199\.7\.1 dev eth0/,
    /lo: <LOOPBACK,UP/,
  ])
    assert.match(shown, part);
  await drop(container);
  await until('the link to be gone', () => !existsSync(`/sys/class/net/${name}`), within);
});
