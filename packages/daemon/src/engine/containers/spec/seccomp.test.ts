import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTwofoldError } from '@twofold/contract';
import type { OciSeccomp } from '@twofold/contract';
import { defaultCapabilities } from './capabilities.ts';
import { seccompFor } from './seccomp.ts';

const ordinary = { architecture: 'amd64', capabilities: defaultCapabilities, kernelRelease: '6.1.0-18-cloud-amd64' };

function rulesOf(filter: OciSeccomp | undefined, name: string) {
  return (filter?.syscalls ?? []).filter((rule) => rule.names.includes(name)).map(({ names: _, ...rule }) => rule);
}

describe('the seccomp profile', () => {
  it('allows ordinary work, refuses what Docker refuses, and does not know what is newer', () => {
    const filter = seccompFor({ kind: 'default' }, false, ordinary);
    assert.deepEqual([filter?.defaultAction, filter?.defaultErrnoRet], ['SCMP_ACT_ERRNO', 38]);
    assert.deepEqual(filter?.architectures, ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32']);
    assert.deepEqual(rulesOf(filter, 'openat'), [{ action: 'SCMP_ACT_ALLOW' }]);
    for (const name of [
      'mount',
      'unshare',
      'setns',
      'bpf',
      'keyctl',
      'io_uring_setup',
      'kexec_load',
      'reboot',
      'init_module',
      'perf_event_open',
      'userfaultfd',
    ]) {
      assert.deepEqual(rulesOf(filter, name), [{ action: 'SCMP_ACT_ERRNO', errnoRet: 1 }], name);
    }
    assert.deepEqual(rulesOf(filter, 'clone3'), [{ action: 'SCMP_ACT_ERRNO', errnoRet: 38 }]);
    assert.deepEqual(rulesOf(filter, 'chroot'), [{ action: 'SCMP_ACT_ALLOW' }]); // CAP_SYS_CHROOT is a default
  });

  it('opens what a capability that was added is for, once', () => {
    const filter = seccompFor({ kind: 'default' }, false, {
      ...ordinary,
      capabilities: [...defaultCapabilities, 'CAP_SYS_ADMIN', 'CAP_BPF'],
    });
    for (const name of ['mount', 'unshare', 'clone', 'clone3', 'bpf'])
      assert.deepEqual(rulesOf(filter, name), [{ action: 'SCMP_ACT_ALLOW' }], name);
  });

  it('gives no call two answers for the same arguments', () => {
    for (const capabilities of [[], defaultCapabilities, ['CAP_SYS_ADMIN'], ['CAP_SYSLOG', 'CAP_BPF', 'CAP_PERFMON']]) {
      const seen = new Set<string>();
      for (const rule of seccompFor({ kind: 'default' }, false, { ...ordinary, capabilities })!.syscalls) {
        for (const name of rule.names) {
          const key = `${name} ${JSON.stringify(rule.args ?? [])}`;
          assert.ok(!seen.has(key), key);
          seen.add(key);
        }
      }
    }
  });

  it('is gone when unconfined or privileged', () => {
    assert.equal(seccompFor({ kind: 'unconfined' }, false, ordinary), undefined);
    assert.equal(seccompFor({ kind: 'default' }, true, ordinary), undefined);
  });

  it('takes a profile in Docker’s form', () => {
    const json = JSON.stringify({
      defaultAction: 'SCMP_ACT_ALLOW',
      archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: null }],
      syscalls: [
        { names: ['mkdir'], action: 'SCMP_ACT_ERRNO', includes: { minKernel: '6.2' } },
        { names: ['rmdir'], action: 'SCMP_ACT_ERRNO', includes: { minKernel: '4.8' }, excludes: {}, args: [] },
        { names: ['link'], action: 'SCMP_ACT_ERRNO', excludes: { arches: ['amd64'] } },
        { name: 'chmod', action: 'SCMP_ACT_KILL' },
      ],
    });
    assert.deepEqual(seccompFor({ kind: 'profile', json }, true, ordinary), {
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: ['SCMP_ARCH_X86_64'],
      syscalls: [
        { names: ['rmdir'], action: 'SCMP_ACT_ERRNO' },
        { names: ['chmod'], action: 'SCMP_ACT_KILL' },
      ],
    });
    for (const broken of [
      '{',
      '{}',
      '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"NO"}]}',
      '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[null]}',
    ]) {
      assert.throws(
        () => seccompFor({ kind: 'profile', json: broken }, false, ordinary),
        (error) => isTwofoldError(error, 'invalid-argument'),
      );
    }
  });
});
