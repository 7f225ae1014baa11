// Owns the one conformance suite: what drivers/driver.ts promises, told as what can be seen, for every driver alike. A
// candidate says what it cannot do at all (`lacks`); everything else must hold.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, statSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { isTwofoldError, MAX_GROUPS, type ErrorCode } from '@twofold/contract';
import type {
  ContainerState,
  Driver,
  DriverEvent,
  ProcessStreams,
  SandboxInterface,
  ToolRun,
} from '../../packages/daemon/src/drivers/driver.ts';
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
  type Candidate,
  type Container,
} from './bench.ts';
import { logTexts } from './log.ts';
import { isAlive } from '../support/processes.ts';
import { until } from '../support/until.ts';

const sleeper = ['sh', '-c', 'trap "exit 3" TERM; echo ready; while :; do sleep 0.05; done'];

export function conformance(candidate: Candidate): void {
  describe(`the ${candidate.name} driver`, { timeout: candidate.timeoutMs * 20 }, () => {
    let driver: Driver;
    const containers: Container[] = [];
    const events: DriverEvent[] = [];
    const closing = new AbortController();
    const within = { timeoutMs: candidate.timeoutMs, everyMs: 10 };

    const start: typeof run = async (of, on, args, options) => {
      const container = options?.container ?? describeContainer(candidate);
      containers.push(container);
      return run(of, on, args, { ...options, container });
    };
    const begin = (args: string[], options?: Parameters<typeof run>[3]) => start(candidate, driver, args, options);
    const drop = async (container: Container) => {
      await remove(driver, container);
      containers.splice(containers.indexOf(container), 1);
    };
    const follow = async (of: Driver) => {
      for await (const event of of.watch(closing.signal)) events.push(event);
    };
    const exited = (container: Container, exec?: string) =>
      events.find(
        (event) => event.kind === 'exited' && event.container === container.ref.container && event.exec === exec,
      );

    before(async () => {
      driver = await candidate.open();
      void follow(driver);
    });
    after(async () => {
      for (const container of [...containers]) await remove(driver, container);
      closing.abort();
      await driver[Symbol.asyncDispose]();
      assert.deepEqual(await candidate.leftovers(), []);
    });

    test('both outputs, the exit code and the event of an ended container are told, and its host name is its own', async () => {
      const { container, streams } = await begin(['sh', '-c', 'hostname; cat /etc/layer; echo wrong >&2; exit 7']);
      const { stdout, stderr } = await collect(streams);
      assert.equal(stdout.toString(), 'conform\ntop\n');
      assert.equal(stderr.toString(), 'wrong\n');
      const status = await streams.exit;
      assert.equal(status.code, 7);
      assert.equal(status.signal, undefined);
      assert.equal(status.oomKilled, false);
      assert.ok(Math.abs(Date.now() - status.finishedAt) < candidate.timeoutMs);
      await until('the event of the exit', () => exited(container) !== undefined, within);
      await drop(container);
    });

    test("every interface has its name, MAC, MTU and address, in order; the default route is one's, and what is sent from another's address leaves by that one", async () => {
      const link = (index: number, change: Partial<SandboxInterface> = {}): SandboxInterface => ({
        name: `eth${index}`,
        hostName: `tfk${process.pid % 100_000}${index}`,
        mac: `02:00:00:00:00:1${index}`,
        addresses: [`198.51.${100 + index}.2/24`],
        gateway: `198.51.${100 + index}.1`,
        mtu: 1400 + index,
        ...change,
      });
      // One without a way out comes first, and two are in one subnet.
      const { gateway: _none, ...inward } = link(0, { table: 1000 });
      const interfaces = [
        inward,
        link(1),
        link(2, { addresses: ['198.51.101.3/24'], gateway: '198.51.101.1', table: 1002 }),
      ];
      const script =
        'ip -o link show | grep -v "lo:" | tr -s " @:" " " | while read n name rest; do echo $n $name $(cat /sys/class/net/$name/address /sys/class/net/$name/mtu); done; ip -4 -o addr show scope global | while read n name inet address rest; do echo $name $address; done;' +
        ' ip route | grep default; for from in 198.51.101.2 198.51.101.3; do ip route get 192.0.2.1 from $from | head -n 1; ip route get 198.51.101.9 from $from | head -n 1; done';
      const { container, streams } = await begin(['sh', '-c', script], {
        container: describeContainer(candidate, { interfaces }),
      });
      const lines = (await collect(streams)).stdout
        .toString()
        .trim()
        .split('\n')
        .map((line) => line.trim().replace(/ +/g, ' '));
      assert.deepEqual(
        lines.slice(0, 3).map((line) => line.replace(/^\d+ /, '')),
        ['eth0 02:00:00:00:00:10 1400', 'eth1 02:00:00:00:00:11 1401', 'eth2 02:00:00:00:00:12 1402'],
      );
      assert.deepEqual(lines.slice(3), [
        'eth0 198.51.100.2/24',
        'eth1 198.51.101.2/24',
        'eth2 198.51.101.3/24',
        'default via 198.51.101.1 dev eth1',
        '192.0.2.1 from 198.51.101.2 via 198.51.101.1 dev eth1',
        '198.51.101.9 from 198.51.101.2 dev eth1',
        '192.0.2.1 from 198.51.101.3 via 198.51.101.1 dev eth2',
        '198.51.101.9 from 198.51.101.3 dev eth2',
      ]);
      await drop(container);
    });

    test('a container is ended from outside: a process is killed, a VM is gone', async () => {
      const { container, streams } = await begin(sleeper);
      assert.equal(await driver.endHard(container.ref), true);
      assert.equal(
        (await driver.workers()).some(({ sandbox }) => sandbox === container.ref.sandbox),
        false,
      );
      const told = await until(
        'its end',
        () =>
          events.find(
            (event) =>
              event.sandbox === container.ref.sandbox && (event.kind === 'exited' || event.kind === 'sandbox-gone'),
          ),
        within,
      );
      assert.equal(
        told.kind === 'exited' ? told.status.code : told.kind,
        candidate.name === 'process' ? 137 : 'sandbox-gone',
      );
      await drop(container);
      assert.equal(await driver.endHard(container.ref), false);
      await streams[Symbol.asyncDispose]();
    });

    test('random bytes go in and out unchanged, and the log has exactly the output', async () => {
      const data = randomBytes(candidate.volumeBytes);
      const { container, streams } = await begin(['cat'], { stdin: true });
      const [{ stdout, stderr }] = await Promise.all([
        collect(streams),
        new Promise<void>((resolve) => streams.stdin!.end(data, resolve)),
      ]);
      assert.equal((await streams.exit).code, 0);
      assert.equal(stderr.length, 0);
      assert.equal(digest(stdout), digest(data));
      assert.equal(digest(logTexts(readFileSync(container.spec.log!.path)).stdout), digest(data));
      await drop(container);
    });

    test('a process that does not read holds its writer back, and one whose output is not read waits', async () => {
      const { container, streams } = await begin(['sh', '-c', 'yes'], { stdin: true });
      let written = 0;
      const chunk = Buffer.alloc(64 << 10);
      while (
        await Promise.race([
          new Promise<boolean>((resolve) => streams.stdin!.write(chunk, () => resolve(true))),
          settled(300),
        ])
      ) {
        written += chunk.length;
        assert.ok(written < 8 << 20, 'the writer was never held back');
      }
      const log = container.spec.log!.path;
      await until(
        'the log to stand still',
        async () => {
          const size = statSync(log).size;
          await settled(200);
          return size > 0 && statSync(log).size === size;
        },
        within,
      );
      await drop(container);
      await streams[Symbol.asyncDispose]();
    });

    test('end of input reaches the process, and no input at all reads as its end', async () => {
      const ended = await begin(['sh', '-c', 'cat; echo over'], { stdin: true });
      ended.streams.stdin!.end('in\n');
      assert.equal((await collect(ended.streams)).stdout.toString(), 'in\nover\n');
      await drop(ended.container);
      const none = await begin(['sh', '-c', 'cat; echo over']);
      assert.equal((await collect(none.streams)).stdout.toString(), 'over\n');
      await drop(none.container);
    });

    test('every client that is attached gets all of the output', async () => {
      const container = describeContainer(candidate);
      containers.push(container);
      await prepare(candidate, driver, container);
      const want = { stdin: false, stdout: true, stderr: true };
      const all = await Promise.all([1, 2, 3].map(() => driver.attach(container.ref, want, deadline(candidate))));
      await driver.startContainer(
        container.ref,
        specOf(container, processOf(['seq', '1', '50000'])),
        { openStdin: false, stdinOnce: false },
        deadline(candidate),
      );
      const outputs = await Promise.all(all.map(collect));
      for (const { stdout } of outputs) assert.equal(stdout.toString().trimEnd().split('\n').length, 50000);
      const late = await driver.attach(container.ref, want, deadline(candidate));
      assert.equal((await collect(late)).stdout.length, 0);
      assert.equal((await late.exit).code, 0);
      await drop(container);
    });

    test('a terminal has a size, takes another one, and gives what is typed to the process', async () => {
      const { container, streams } = await begin(
        ['sh', '-c', 'tty >/dev/null && stty size; read line; stty size; echo "got $line"'],
        { stdin: true, process: { terminal: true, consoleSize: { height: 31, width: 97 } } },
      );
      const shown = collectText(streams.output);
      await until('the first size', () => shown.text.includes('31 97'), within);
      await driver.resize(container.ref, { rows: 40, columns: 120 });
      streams.stdin!.write('typed\r');
      await until('the answer', () => shown.text.includes('got typed'), within);
      assert.match(shown.text, /40 120/);
      assert.equal((await streams.exit).code, 0);
      await drop(container);
    });

    test('a command that is not there and one that cannot be executed are told apart, and the container can be started again', async () => {
      const container = describeContainer(candidate);
      containers.push(container);
      await prepare(candidate, driver, container);
      const attempt = (args: string[]) =>
        driver.startContainer(
          container.ref,
          specOf(container, processOf(args)),
          { openStdin: false, stdinOnce: false },
          deadline(candidate),
        );
      await assert.rejects(
        attempt(['nowhere']),
        coded('command-not-found', /"nowhere": executable file not found in \$PATH/),
      );
      await assert.rejects(attempt(['/bin/nowhere']), coded('command-not-found', /no such file or directory/));
      await assert.rejects(attempt(['/bin/plain-file']), coded('command-not-executable', /permission denied/));
      const streams = await driver.attach(
        container.ref,
        { stdin: false, stdout: true, stderr: true },
        deadline(candidate),
      );
      await attempt(['echo', 'works']);
      assert.equal((await collect(streams)).stdout.toString(), 'works\n');
      await drop(container);
    });

    test('a user begins in a working directory of root’s, in an exec too; a link that leads nowhere is told as Docker tells it', async () => {
      const container = describeContainer(candidate);
      containers.push(container);
      await prepare(candidate, driver, container);
      const begun = (cwd: string, args: string[]) =>
        driver.startContainer(
          container.ref,
          specOf(container, processOf(args, { cwd, user: { uid: 1000, gid: 1000 } })),
          { openStdin: false, stdinOnce: false },
          deadline(candidate),
        );
      await assert.rejects(
        begun('/dangling', ['sh']),
        coded(
          'command-not-found',
          /chdir to cwd \("\/dangling"\) set in config\.json failed: no such file or directory$/,
        ),
      );
      const streams = await driver.attach(
        container.ref,
        { stdin: false, stdout: true, stderr: true },
        deadline(candidate),
      );
      await begun('/closed', ['sh', '-c', 'pwd; exec sleep 600']);
      const { streams: exec } = await driver.exec(
        execOf(container),
        { process: processOf(['sh', '-c', 'pwd'], { cwd: '/closed', user: { uid: 1000, gid: 1000 } }), stdin: false },
        { attached: true },
        deadline(candidate),
      );
      assert.equal((await collect(exec!)).stdout.toString(), '/closed\n');
      await driver.signal(container.ref, 9, false);
      assert.equal((await collect(streams)).stdout.toString(), '/closed\n');
      await drop(container);
    });

    test('an exec has streams, an exit code and an event of its own, and fails like a command that cannot be started', async () => {
      const { container, streams } = await begin(sleeper);
      const target = execOf(container);
      const { streams: exec, pid } = await driver.exec(
        target,
        { process: processOf(['sh', '-c', 'cat; echo done >&2; exit 9']), stdin: true },
        { attached: true },
        deadline(candidate),
      );
      assert.ok(pid > 0);
      exec!.stdin!.end('through\n');
      const output = await collect(exec!);
      assert.equal(output.stdout.toString(), 'through\n');
      assert.equal(output.stderr.toString(), 'done\n');
      assert.equal((await exec!.exit).code, 9);
      await until('the event of the exec', () => exited(container, target.exec) !== undefined, within);
      for (const [command, code] of [
        ['nowhere', 'command-not-found'],
        ['/bin/plain-file', 'command-not-executable'],
      ] as const) {
        await assert.rejects(
          driver.exec(
            execOf(container),
            { process: processOf([command]), stdin: false },
            { attached: true },
            deadline(candidate),
          ),
          coded(code, /exec/),
        );
      }
      const detached = execOf(container);
      assert.equal(
        (
          await driver.exec(
            detached,
            { process: processOf(['sh', '-c', 'echo unseen; exit 5']), stdin: false },
            { attached: false },
            deadline(candidate),
          )
        ).streams,
        null,
      );
      await until('the event of the detached exec', () => exited(container, detached.exec) !== undefined, within);
      const event = exited(container, detached.exec);
      assert.equal(event?.kind === 'exited' && event.status.code, 5);
      await drop(container);
      await streams[Symbol.asyncDispose]();
    });

    test('an exec has a terminal of its own, and many execs run side by side', async () => {
      const { container, streams } = await begin(sleeper);
      const target = execOf(container);
      // The runtime may set the size when the command runs already, as every terminal's size may change at any time.
      const { streams: exec } = await driver.exec(
        target,
        {
          process: processOf(['sh', '-c', 'until stty size 2>/dev/null | grep 20; do sleep 0.01; done; tty'], {
            terminal: true,
            consoleSize: { height: 20, width: 60 },
          }),
          stdin: true,
        },
        { attached: true },
        deadline(candidate),
      );
      assert.match((await collect(exec!)).stdout.toString(), /^20 60\r\n\/dev\/pts\/\d+\r\n$/);
      const outputs = await Promise.all(
        Array.from({ length: 8 }, async (_, index) => {
          const one = await driver.exec(
            execOf(container),
            { process: processOf(['echo', String(index)]), stdin: false },
            { attached: true },
            deadline(candidate),
          );
          return (await collect(one.streams!)).stdout.toString();
        }),
      );
      assert.deepEqual(
        outputs,
        Array.from({ length: 8 }, (_, index) => `${index}\n`),
      );
      await drop(container);
      await streams[Symbol.asyncDispose]();
    });

    test('signals arrive: one that is handled, and one that kills', async () => {
      const handled = await begin(sleeper);
      const shown = collectText(handled.streams.output);
      await until('the handler to be set', () => shown.text.includes('ready'), within);
      await driver.signal(handled.container.ref, 15, false);
      assert.equal((await handled.streams.exit).code, 3);
      await drop(handled.container);
      const killed = await begin(['sleep', '1000']);
      await driver.signal(killed.container.ref, 9, false);
      await collect(killed.streams);
      const { code, signal } = await killed.streams.exit;
      assert.deepEqual({ code, signal }, { code: 137, signal: 9 });
      await assert.rejects(driver.signal(killed.container.ref, 9, false), coded('container-not-running', /./));
      await drop(killed.container);
    });

    test('the user of an image is found in its own files, and an unknown one is refused in words that users know', async () => {
      const container = describeContainer(candidate, { user: 'alice' });
      containers.push(container);
      await driver.createSandbox(container.sandbox, deadline(candidate));
      const user = await driver.createContainer(container.spec, deadline(candidate));
      assert.deepEqual({ uid: user.uid, gid: user.gid, home: user.home }, { uid: 1000, gid: 1000, home: '/home' });
      assert.ok(user.groups.includes(29));
      assert.equal((await driver.resolveUser(container.ref, '5:7', deadline(candidate))).gid, 7);
      await assert.rejects(
        driver.resolveUser(container.ref, 'bob', deadline(candidate)),
        coded('invalid-argument', /unable to find user bob: no matching entries in passwd file/),
      );
      await drop(container);
    });

    test('a process and an exec are in as many groups as their user, and a user in more than there may be is refused', async () => {
      const container = describeContainer(candidate);
      containers.push(container);
      await prepare(candidate, driver, container);
      const { uid, gid, groups } = await driver.resolveUser(container.ref, 'many', deadline(candidate));
      assert.equal(groups.length, MAX_GROUPS);
      await assert.rejects(
        driver.resolveUser(container.ref, 'crowd', deadline(candidate)),
        coded('invalid-argument', /at most 4096 groups/),
      );
      const user = { uid, gid, additionalGids: [...groups] };
      const groupsOf = async (streams: ProcessStreams) => {
        let told = '';
        for await (const { data } of streams.output) {
          told += data.toString();
          const line = /^Groups:\t(.*)\n/m.exec(told)?.[1];
          if (line !== undefined) return line.trim().split(' ').map(Number);
        }
        return assert.fail(told);
      };
      const everything = groups.toSorted((left, right) => left - right);
      const streams = await driver.attach(
        container.ref,
        { stdin: false, stdout: true, stderr: true },
        deadline(candidate),
      );
      await driver.startContainer(
        container.ref,
        specOf(container, processOf(['sh', '-c', 'cat /proc/self/status; sleep 1000'], { user })),
        { openStdin: false, stdinOnce: false },
        deadline(candidate),
      );
      assert.deepEqual(await groupsOf(streams), everything);
      const exec = await driver.exec(
        execOf(container),
        { process: processOf(['cat', '/proc/self/status'], { user }), stdin: false },
        { attached: true },
        deadline(candidate),
      );
      assert.deepEqual(await groupsOf(exec.streams!), everything);
      await drop(container);
    });

    test('a layer is shown in a running container, read-only, to its execs, and what looks for changes sees nothing of it', async () => {
      const { container } = await begin(['sleep', '1000']);
      const show = () => driver.showLayer(container.spec, candidate.layers.at(-1)!, '/dev/shown', deadline(candidate));
      await show();
      await show();
      const { streams } = await driver.exec(
        execOf(container),
        { process: processOf(['sh', '-c', 'ls /dev/shown; touch /dev/shown/new || echo refused']), stdin: false },
        { attached: true },
        deadline(candidate),
      );
      const { stdout } = await collect(streams!);
      assert.match(stdout.toString(), /^bin\n[^]*refused\n$/);
      assert.doesNotMatch(await text(driver.files(container.ref, { verb: 'changes' }, deadline(candidate))), /shown/);
      await assert.rejects(
        driver.showLayer(container.spec, candidate.layers[0]!, '/etc/shown', deadline(candidate)),
        coded('invalid-argument', /not a name in \/dev/),
      );
      await driver.signal(container.ref, 9, false);
      await until('the end of the container', () => exited(container) !== undefined, within);
      await assert.rejects(show(), coded('container-not-running', /./));
      await drop(container);
    });

    test('a paused container stands still and goes on when resumed', async () => {
      const { container, streams } = await begin([
        'sh',
        '-c',
        'i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done',
      ]);
      const shown = collectText(streams.output);
      await until('some lines', () => shown.text.includes('5\n'), within);
      await driver.pause(container.ref);
      await settled(200);
      const length = shown.text.length;
      await settled(300);
      assert.equal(shown.text.length, length);
      await driver.resume(container.ref);
      await until('more lines', () => shown.text.length > length, within);
      await drop(container);
    });

    test('the process list comes from the kernel that runs them', async () => {
      const { container, streams, pid } = await begin(['sh', '-c', 'sleep 500 & sleep 600; true']);
      // Between fork and exec a process still has its parent's command line.
      const found = await until(
        'three processes',
        async () => {
          const all = await driver.processes(container.ref);
          // … and its files are read one after the other.
          return all.length === 3 &&
            all.filter(({ cmdline, stat }) => cmdline[0] === 'sleep' && stat.includes('(sleep)')).length === 2
            ? all
            : null;
        },
        within,
      );
      assert.ok(found.some((one) => one.pid === pid && one.cmdline[0] === 'sh'));
      assert.ok(
        found.some(
          (one) =>
            one.cmdline.join(' ') === 'sleep 500' && one.status.includes('State:') && one.stat.includes('(sleep)'),
        ),
      );
      await drop(container);
      await streams[Symbol.asyncDispose]();
    });

    test('out of memory is told', { skip: candidate.lacks?.includes('memory limit') === true }, async () => {
      const container = describeContainer(candidate, { memoryBytes: 16 << 20 });
      const { streams } = await begin(['sh', '-c', 'tail /dev/zero'], { container });
      await collect(streams);
      const status = await streams.exit;
      assert.equal(status.oomKilled, true);
      assert.notEqual(status.code, 0);
      await drop(container);
    });

    test('what a container has written is there in its next life, and its files can be read and written while it runs and at rest', async () => {
      const first = await begin(['sh', '-c', 'echo kept > /root/kept; rm /etc/layer; sleep 1000'], {});
      const { container, streams } = first;
      await until(
        'the file',
        async () =>
          (await text(driver.files(container.ref, { verb: 'changes' }, deadline(candidate)))).includes('A /root/kept'),
        within,
      );
      assert.match(
        await text(driver.files(container.ref, { verb: 'stat', path: '/root/kept' }, deadline(candidate))),
        /"name":"kept"/,
      );
      assert.match(
        await text(driver.files(container.ref, { verb: 'pack', path: '/root/kept' }, deadline(candidate))),
        /kept/,
      );
      await assert.rejects(
        text(driver.files(container.ref, { verb: 'stat', path: '/nowhere' }, deadline(candidate))),
        coded('path-not-found', /./),
      );
      await remove(driver, container);
      await streams[Symbol.asyncDispose]();
      assert.equal(await driver.hasWritable(container.spec.rootfs.writableDirectory), true);
      const changes = (await text(driver.filesAtRest(container.spec, { verb: 'changes' }, deadline(candidate)))).split(
        '\0',
      );
      assert.ok(changes.includes('A /root/kept') && changes.includes('D /etc/layer'), changes.join('|'));
      const again = describeContainer(candidate, { writableOf: container.spec });
      const second = await begin(['sh', '-c', 'cat /root/kept; test -e /etc/layer || echo gone'], { container: again });
      assert.equal((await collect(second.streams)).stdout.toString(), 'kept\ngone\n');
      await drop(again);
      const aside = `${container.spec.rootfs.writableDirectory}.aside`;
      const { writableDirectory } = container.spec.rootfs;
      await driver.discardWritable(writableDirectory, (path) => renameSync(path, aside));
      assert.equal(await driver.hasWritable(writableDirectory), false);
      assert.ok(existsSync(aside), 'what was written is kept for who asks for it');
      await driver.discardWritable(writableDirectory, () => assert.fail('there is nothing to keep'));
      containers.splice(containers.indexOf(container), 1);
    });

    test('a driver made anew finds what runs, what has ended meanwhile, and misses no output', async () => {
      const runs = await begin(['sh', '-c', 'read line; echo "later $line"; exit 4'], { stdin: true });
      const ends = await begin(['sh', '-c', 'sleep 0.3; exit 6']);
      await driver[Symbol.asyncDispose]();
      await until(
        'the exit to be written down',
        () => existsSync(`${ends.container.sandbox.directory}/exit.${ends.container.ref.container}`),
        within,
      );
      driver = await candidate.open();
      void follow(driver);
      const state = async ({
        ref,
        sandbox,
      }: Container): Promise<{ alive: boolean; state: ContainerState | undefined }> => {
        const { alive, containers: states } = await driver.reconnect(
          ref.sandbox,
          sandbox.directory,
          [ref.container],
          deadline(candidate),
        );
        return { alive, state: states.get(ref.container) };
      };
      const living = await state(runs.container);
      assert.equal(living.alive, true);
      assert.equal(living.state?.at, 'running');
      const ended = await state(ends.container);
      assert.equal(ended.state?.at === 'exited' && ended.state.status.code, 6);
      const streams = await driver.attach(
        runs.container.ref,
        { stdin: true, stdout: true, stderr: true },
        deadline(candidate),
      );
      streams.stdin!.end('on\n');
      assert.equal((await collect(streams)).stdout.toString(), 'later on\n');
      assert.equal((await streams.exit).code, 4);
      await until('the event of the exit', () => exited(runs.container) !== undefined, within);
      await drop(runs.container);
      await drop(ends.container);
    });

    test('a supervisor that is killed takes its container with it, which is told as what it was', async () => {
      const container = describeContainer(candidate);
      containers.push(container);
      const { supervisorPid } = await driver.createSandbox(container.sandbox, deadline(candidate));
      await driver.createContainer(container.spec, deadline(candidate));
      const streams = await driver.attach(
        container.ref,
        { stdin: false, stdout: true, stderr: true },
        deadline(candidate),
      );
      const { pid } = await driver.startContainer(
        container.ref,
        specOf(container, processOf(sleeper)),
        { openStdin: false, stdinOnce: false },
        deadline(candidate),
      );
      const before =
        candidate.name === 'process'
          ? [pid]
          : (await driver.workers())
              .filter(({ sandbox }) => sandbox === container.ref.sandbox)
              .map((worker) => worker.pid);
      assert.notEqual(before.length, 0);
      process.kill(supervisorPid, 'SIGKILL');
      await assert.rejects(collect(streams), coded('sandbox-gone', /./));
      await assert.rejects(streams.exit, coded('sandbox-gone', /./));
      await until('the container to be dead', () => before.every((one) => !isAlive(one)), within);
      await until(
        'the event',
        () => events.some((event) => event.kind === 'sandbox-gone' && event.sandbox === container.ref.sandbox),
        within,
      );
      const found = await driver.reconnect(
        container.ref.sandbox,
        container.sandbox.directory,
        [container.ref.container],
        deadline(candidate),
      );
      assert.equal(found.alive, false);
      assert.equal(found.containers.has(container.ref.container), false);
      await drop(container);
    });

    test('taking away is legal at any time and twice', async () => {
      const { container, streams } = await begin(sleeper);
      await driver.deleteSandbox(container.ref.sandbox, container.sandbox.directory);
      await driver.deleteContainer(container.ref);
      await driver.deleteSandbox(container.ref.sandbox, container.sandbox.directory);
      await streams[Symbol.asyncDispose]();
      assert.equal(
        events.some((event) => event.kind === 'sandbox-gone' && event.sandbox === container.ref.sandbox),
        false,
      );
      containers.splice(containers.indexOf(container), 1);
    });
  });
}

const digest = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

const coded =
  (code: ErrorCode, message: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(isTwofoldError(error), String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };

/** False, after a while: the bound of a wait for something that must not happen. */
const settled = (ms: number): Promise<false> => new Promise((resolve) => setTimeout(() => resolve(false), ms));

function collectText(output: AsyncIterable<{ data: Buffer }>): { readonly text: string } {
  const shown = { text: '' };
  const read = async () => {
    for await (const { data } of output) shown.text += data.toString();
  };
  read().catch(() => undefined);
  return shown;
}

async function text(running: Promise<ToolRun>): Promise<string> {
  await using tool = await running;
  tool.stdin.end();
  const parts: Buffer[] = [];
  for await (const data of tool.stdout) parts.push(data);
  await tool.done;
  return Buffer.concat(parts).toString();
}
