// What the host sees of a utility VM: one jailed worker process, however it came to be, and nothing of what runs
// inside.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { readMounts } from '../../packages/daemon/src/host/cgroup/index.ts';
import {
  parentOf,
  processEntries,
  processIds,
  processLink,
  processName,
  processText,
  processWords,
} from '../support/processes.ts';
import { House, outputOf, type Running } from './house.ts';

for (const kind of ['clone', 'fork'] as const)
  describe(`a ${kind}`, () => {
    let house: House;
    let running: Running;
    let pid: number;

    before(async () => {
      house = await House.open({ vmFork: kind === 'fork' });
      assert.equal(await house.driver.forkable(), kind === 'fork');
      running = await house.run(['sh', '-c', 'uname -r; sleep 3456 & wait']);
      pid = (await house.driver.workers()).find(({ sandbox }) => sandbox === running.ref.sandbox)!.pid;
    });
    after(async () => {
      await house[Symbol.asyncDispose]();
      assert.deepEqual(house.leftovers(), []);
    });

    test("the kernel inside is another than the host's", async () => {
      const first = (await running.streams.output[Symbol.asyncIterator]().next()).value as { data: Buffer };
      assert.equal(first.data.toString().trim(), await house.driver.kernelRelease());
      assert.notEqual(first.data.toString().trim(), release());
    });

    test("the worker is called vmwp and its user's name is the container's GUID", () => {
      const [user, name] = execFileSync('ps', ['-o', 'user:40=,comm=', '-p', String(pid)])
        .toString()
        .trim()
        .split(/\s+/);
      assert.deepEqual([user, name], [running.ref.container.slice(0, 32), 'vmwp']);
    });

    test('the worker came to be as it was asked for', () => {
      const parent = parentOf(pid);
      assert.equal(
        processName(parent ?? assert.fail('it has gone')),
        kind === 'fork' ? 'vmwp-parent' : 'twofold-supervi',
      );
    });

    test('no thread of the worker has a capability, new privileges, or no seccomp filter', () => {
      for (const thread of processEntries(pid, 'task')) confined(processText(pid, `task/${thread}/status`));
    });

    function confined(status: string | null): void {
      if (status === null) return; // a thread that has ended meanwhile
      for (const field of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
        assert.match(status, new RegExp(`^${field}:\\s+0+$`, 'm'));
      assert.match(status, /^NoNewPrivs:\s+1$/m);
      assert.match(status, /^Seccomp:\s+2$/m);
      const uids = /^Uid:\s+(.*)$/m.exec(status)![1]!.split(/\s+/).map(Number);
      const { first, last } = house.settings.workerUids;
      for (const uid of uids) assert.ok(uid >= first && uid <= last, `user id ${uid}`);
    }

    test('the worker has namespaces of its own, with no network in them', () => {
      for (const kind of ['mnt', 'pid', 'net', 'ipc', 'uts'])
        assert.notEqual(
          processLink(pid, `ns/${kind}`) ?? assert.fail('it has gone'),
          readlinkSync(`/proc/self/ns/${kind}`),
          kind,
        );
      const links = (processText(pid, 'net/dev') ?? '')
        .split('\n')
        .slice(2)
        .filter((line) => line !== '')
        .map((line) => line.split(':')[0]!.trim());
      assert.deepEqual(links, ['lo']);
    });

    test("the worker's root holds what it needs, read-only, and nothing of the host's", () => {
      const root = `/proc/${pid}/root`;
      assert.deepEqual(
        readdirSync(root).filter((name) => !['dev', 'etc', 'lib', 'lib64', 'proc', 'usr', 'vm'].includes(name)),
        [],
      );
      for (const path of ['/home', '/root', '/etc/passwd', '/usr/bin/sh', '/var', '/run'])
        assert.equal(existsSync(`${root}${path}`), false, path);
      for (const line of (processText(pid, 'mounts') ?? '').trim().split('\n'))
        assert.match(line.split(' ')[3]!, /^ro\b/, line);
    });

    test('the worker can start few threads, and lengthen no file beyond its disk', () => {
      assert.match(processText(pid, 'limits') ?? '', /^Max file size +21474836480 +21474836480 /m);
      const group = /^\d+:(?:[^:]*,)?pids(?:,[^:]*)?:(.*)$|^0::(.*)$/m.exec(processText(pid, 'cgroup') ?? '')!;
      const tree = readMounts(readFileSync('/proc/self/mountinfo', 'utf8'));
      const root = tree.v1.find(({ controllers }) => controllers.includes('pids')) ?? tree.v2!;
      assert.equal(readFileSync(join(root.directory, group[1] ?? group[2]!, 'pids.max'), 'utf8'), '257\n');
    });

    test('the worker has no descriptor of a directory, and no more files than its own', () => {
      const targets = processEntries(pid, 'fd').flatMap((fd) => processLink(pid, `fd/${fd}`) ?? []);
      assert.notEqual(targets.length, 0);
      for (const target of targets)
        assert.match(
          target,
          /^(socket:|pipe:|anon_inode:|(\/dev)?\/(null|urandom)$|\/memfd:|\/dev\/net\/tun$|.*\/(scratch\.ext4|layers\.vmdk|base\.erofs)$)/,
          target,
        );
    });

    test("the host's process list has nothing of what runs inside, the guest's has", async () => {
      const seen = processIds().filter((each) => processWords(each).join(' ') === 'sleep 3456');
      assert.deepEqual(seen, []);
      const inside = await house.driver.processes(running.ref);
      assert.ok(inside.some(({ cmdline }) => cmdline.join(' ') === 'sleep 3456'));
    });

    test('the supervisor that is killed takes its VM along, and nobody makes up a success', async () => {
      process.kill(running.supervisorPid, 'SIGKILL');
      const event = await house.event('sandbox-gone', running.ref.sandbox);
      assert.equal(event.kind, 'sandbox-gone');
      await assert.rejects(outputOf(running.streams), { code: 'sandbox-gone' });
      await assert.rejects(running.streams.exit, { code: 'sandbox-gone' });
      const { alive, containers } = await house.driver.reconnect(
        running.ref.sandbox,
        running.sandbox.directory,
        [running.ref.container],
        AbortSignal.timeout(10_000),
      );
      assert.equal(alive, false);
      assert.equal(containers.size, 0);
    });
  });
