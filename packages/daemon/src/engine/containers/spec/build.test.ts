import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isTwofoldError } from '@twofold/contract';
import type { ContainerConfig, ContainerId, HostConfig, Isolation } from '@twofold/contract';
import { buildSpec } from './build.ts';
import { allCapabilities, capabilitiesOfMask, chooseCapabilities, defaultCapabilities } from './capabilities.ts';
import { guestFacts, readHardLimits } from './host-facts.ts';
import type { HostFacts } from './host-facts.ts';
import { processEnvironment } from './process.ts';

const everything = guestFacts({ architecture: 'amd64', kernelRelease: '6.1.0', cpus: 2, cgroupParent: '/twofold' });
const poor: HostFacts = {
  ...everything,
  capabilities: new Set(allCapabilities.filter((name) => name !== 'CAP_SYS_RESOURCE')),
  hardLimits: new Map([
    ['RLIMIT_NOFILE', 20_000],
    ['RLIMIT_NPROC', 96_365],
  ]),
};
const root = { uid: 0, gid: 0, groups: [0], home: '/root' };

function build(
  hostConfig: HostConfig = {},
  config: ContainerConfig = {},
  host = everything,
  isolation: Isolation = 'process',
  user = root,
) {
  return buildSpec(
    { id: 'ab'.repeat(32) as ContainerId, isolation, config: { Cmd: ['true'], ...config }, hostConfig },
    user,
    host,
  );
}

function refuses(what: () => unknown, code: 'invalid-argument' | 'unsupported' | 'not-implemented', text: RegExp) {
  assert.throws(what, (error) => isTwofoldError(error, code) && text.test(error.message));
}

describe('the specification of a container', () => {
  it('has Docker’s fourteen capabilities, masked paths and mounts when nothing is said', () => {
    const spec = build();
    assert.deepEqual(new Set(spec.process.capabilities?.effective), new Set(defaultCapabilities));
    assert.equal(defaultCapabilities.length, 14);
    assert.ok(spec.linux.maskedPaths?.includes('/proc/kcore'));
    assert.deepEqual(
      spec.mounts.map((mount) => mount.destination),
      ['/proc', '/dev', '/dev/pts', '/sys', '/sys/fs/cgroup', '/dev/mqueue', '/dev/shm'],
    );
    assert.equal(spec.hostname, 'abababababab');
    assert.deepEqual(spec.process.env, [
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      'HOSTNAME=abababababab',
      'HOME=/root',
    ]);
  });

  it('runs entrypoint and command, through the init where one is wished', () => {
    assert.deepEqual(build({}, { Entrypoint: ['/csrss'], Cmd: ['cmd', 'a b'] }).process.args, ['/csrss', 'cmd', 'a b']);
    assert.deepEqual(build({}, { Entrypoint: [''], Cmd: ['cmd'] }).process.args, ['cmd']);
    assert.deepEqual(build({ Init: true }).process.args, ['/sbin/docker-init', 'true']);
    refuses(() => build({}, { Cmd: [] }), 'invalid-argument', /No command specified/);
  });

  it('gives a user other than root no capability until it runs something that has one', () => {
    const capabilities = build({}, {}, everything, 'process', { ...root, uid: 1000 }).process.capabilities!;
    assert.deepEqual([capabilities.effective, capabilities.permitted, capabilities.bounding.length], [[], [], 14]);
  });

  it('adds groups by number, and says that it knows none by name', () => {
    assert.deepEqual(build({ GroupAdd: ['10', '0', '2000'] }).process.user.additionalGids, [0, 10, 2000]);
    refuses(() => build({ GroupAdd: ['audio'] }), 'not-implemented', /--group-add.*audio/);
    refuses(() => build({ GroupAdd: ['4294967296'] }), 'invalid-argument', /range/);
    const many = (count: number) => Array.from({ length: count }, (_, index) => String(index + 1));
    assert.equal(build({ GroupAdd: many(4095) }).process.user.additionalGids?.length, 4096);
    refuses(() => build({ GroupAdd: many(4096) }), 'invalid-argument', /at most 4096 groups/);
  });

  it('refuses to switch the OOM killer off where the kernel cannot, and does so where it can', () => {
    refuses(() => build({ OomKillDisable: true, Memory: 1 << 26 }), 'unsupported', /--oom-kill-disable/);
    assert.equal(
      build({ OomKillDisable: true }, {}, { ...everything, cgroupVersion: '1' }).linux.resources?.memory
        ?.disableOOMKiller,
      true,
    );
  });

  it('means by privileged what the machine has', () => {
    const spec = build({ Privileged: true }, {}, poor);
    assert.equal(spec.process.capabilities?.bounding.length, allCapabilities.length - 1);
    assert.equal(spec.linux.seccomp, undefined);
    assert.deepEqual([spec.linux.maskedPaths, spec.linux.readonlyPaths], [[], []]);
    assert.ok(spec.mounts.find((mount) => mount.type === 'sysfs')?.options?.includes('rw'));
  });

  it('refuses a capability by name that the machine lacks, and one that does not exist', () => {
    refuses(() => build({ CapAdd: ['sys_resource'] }, {}, poor), 'invalid-argument', /CAP_SYS_RESOURCE/);
    refuses(() => build({ CapDrop: ['FLY'] }), 'invalid-argument', /unknown capability: "CAP_FLY"/);
    assert.ok(!build({ CapAdd: ['ALL'] }, {}, poor).process.capabilities!.bounding.includes('CAP_SYS_RESOURCE'));
  });

  it('clamps the default limits to the machine’s and refuses explicit ones above', () => {
    const nofile = (spec: ReturnType<typeof build>) =>
      spec.process.rlimits?.find((limit) => limit.type === 'RLIMIT_NOFILE');
    assert.deepEqual(nofile(build({}, {}, poor)), { type: 'RLIMIT_NOFILE', soft: 20_000, hard: 20_000 });
    assert.deepEqual(nofile(build()), { type: 'RLIMIT_NOFILE', soft: 1 << 20, hard: 1 << 20 });
    assert.deepEqual(nofile(build({ Ulimits: [{ Name: 'nofile', Soft: 10, Hard: 20 }] }, {}, poor)), {
      type: 'RLIMIT_NOFILE',
      soft: 10,
      hard: 20,
    });
    refuses(
      () => build({ Ulimits: [{ Name: 'nofile', Soft: 10, Hard: 30_000 }] }, {}, poor),
      'invalid-argument',
      /20000/,
    );
    refuses(() => build({ Ulimits: [{ Name: 'nproc', Soft: -1, Hard: -1 }] }, {}, poor), 'invalid-argument', /96365/);
    refuses(() => build({ Ulimits: [{ Name: 'files', Soft: 1, Hard: 1 }] }), 'invalid-argument', /invalid ulimit type/);
    refuses(() => build({ Ulimits: [{ Name: 'nofile', Soft: 2, Hard: 1 }] }), 'invalid-argument', /less than or equal/);
  });

  it('counts memory and processors as Docker does', () => {
    assert.deepEqual(build({ Memory: 64 << 20 }).linux.resources?.memory, { limit: 64 << 20, swap: 128 << 20 });
    assert.deepEqual(build({ NanoCpus: 1.5e9 }).linux.resources?.cpu, { quota: 150_000, period: 100_000 });
    refuses(() => build({ Memory: 1 }), 'invalid-argument', /^Minimum memory limit allowed is 6MB$/);
    refuses(() => build({ NanoCpus: 3e9 }), 'invalid-argument', /only 2 CPUs/);
    refuses(() => build({ CpusetCpus: '0-2' }), 'invalid-argument', /available: 0-1/);
    refuses(() => build({ MemorySwap: 64 << 20 }), 'invalid-argument', /Memory limit/);
  });

  it('reads the options of temporary file systems', () => {
    const mounts = build({ Tmpfs: { '/run': 'rw,size=64k,exec', '/a/../tmp': '' } }).mounts;
    assert.deepEqual(mounts.find((mount) => mount.destination === '/run')?.options, [
      'nosuid',
      'nodev',
      'rw',
      'size=64k',
      'exec',
    ]);
    assert.deepEqual(mounts.find((mount) => mount.destination === '/tmp')?.options, ['noexec', 'nosuid', 'nodev']);
    refuses(() => build({ Tmpfs: { '/run': 'size=lots' } }), 'invalid-argument', /invalid tmpfs option/);
    refuses(() => build({ Tmpfs: { run: '' } }), 'invalid-argument', /absolute/);
  });

  it('sets only kernel settings that have a namespace', () => {
    // Docker's own, for ordinary users; a word of the caller's goes before, and the host's network has its own.
    const own = { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' };
    assert.deepEqual(build({}).linux.sysctl, own);
    assert.deepEqual(build({ Sysctls: { 'net/ipv4/ip_unprivileged_port_start': '1024' } }).linux.sysctl, {
      ...own,
      'net.ipv4.ip_unprivileged_port_start': '1024',
    });
    assert.deepEqual(build({ NetworkMode: 'host' }).linux.sysctl, {});
    refuses(
      () => build({ Sysctls: { 'kernel.panic': '1' } }, {}, everything, 'hyperv'),
      'invalid-argument',
      /not in a separate kernel namespace/,
    );
    refuses(
      () => build({ Sysctls: { 'net.../../kernel/panic': '1' } }),
      'invalid-argument',
      /not in a separate kernel namespace/,
    );
  });

  it('says what it does not have instead of passing over it', () => {
    refuses(() => build({ Binds: ['/a:/b'] }), 'not-implemented', /bind mounts/);
    refuses(() => build({ PortBindings: { '80/tcp': [{ HostPort: '80' }] } }), 'not-implemented', /published ports/);
    refuses(() => build({ PidMode: 'host' }, {}, everything, 'hyperv'), 'unsupported', /has its own kernel/);
    refuses(() => build({ SecurityOpt: ['apparmor=mine'] }), 'unsupported', /AppArmor/);
    refuses(() => build({ SecurityOpt: ['swordfish'] }), 'invalid-argument', /security-opt/);
  });
});

describe('the parts of a specification', () => {
  it('never gives a capability that the machine lacks', () => {
    const name = fc.constantFrom(
      'ALL',
      ...allCapabilities,
      ...allCapabilities.map((capability) => capability.slice(4).toLowerCase()),
    );
    fc.assert(
      fc.property(
        fc.array(name),
        fc.array(name),
        fc.boolean(),
        fc.subarray([...allCapabilities]),
        (add, drop, privileged, available) => {
          const has = new Set(available);
          try {
            const chosen = chooseCapabilities({ add, drop, privileged }, has);
            assert.ok(chosen.every((capability) => has.has(capability)));
            assert.equal(new Set(chosen).size, chosen.length);
          } catch (error) {
            assert.ok(isTwofoldError(error, 'invalid-argument'));
          }
        },
      ),
    );
  });

  it('keeps one value per variable, the last', () => {
    const variable = fc
      .tuple(fc.constantFrom('A', 'B', 'PATH', 'HOME'), fc.string({ unit: 'grapheme-ascii' }))
      .map(([name, value]) => `${name}=${value}`);
    fc.assert(
      fc.property(fc.array(variable), (given) => {
        const result = processEnvironment({ Env: given }, 'h', '/');
        const names = result.map((entry) => entry.slice(0, entry.indexOf('=')));
        assert.equal(new Set(names).size, names.length);
        for (const name of names) {
          const last = given.findLast((entry) => entry.startsWith(`${name}=`));
          if (last !== undefined) assert.ok(result.includes(last));
        }
      }),
    );
    assert.deepEqual(processEnvironment({ Env: ['A=1', 'A', 'PATH'], Tty: true }, 'h', '/x'), [
      'HOSTNAME=h',
      'TERM=xterm',
      'HOME=/x',
    ]);
  });

  it('reads masks and limits as the kernel writes them', () => {
    assert.equal(capabilitiesOfMask('000001fffeffffff').length, 40);
    assert.deepEqual(capabilitiesOfMask('a80425fb').sort(), [...defaultCapabilities].sort());
    const text =
      'Limit                     Soft Limit           Hard Limit           Units     \nMax open files            1024                 20000                files     \nMax file locks            unlimited            unlimited            locks     \n';
    assert.deepEqual(
      [...readHardLimits(text, 5, false)],
      [
        ['RLIMIT_NOFILE', 20_000],
        ['RLIMIT_LOCKS', Infinity],
      ],
    );
    assert.deepEqual([...readHardLimits(text, 5, true)], [['RLIMIT_NOFILE', 5]]);
  });
});
