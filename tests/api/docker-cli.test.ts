import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDoor } from './door.ts';

test('docker run shows output of both streams and takes the exit code', async () => {
  await using door = await openDoor();
  assert.deepEqual(await door.docker(['run', '--rm', 'nanoserver', 'both']), {
    code: 0,
    stdout: 'out\n',
    stderr: 'err\n',
  });
  assert.equal((await door.docker(['run', '--rm', 'nanoserver', 'exit', '42'])).code, 42);
  assert.equal((await door.docker(['ps', '-aq'])).stdout, '');
});

test('docker run -i passes input to its end, byte for byte', async () => {
  await using door = await openDoor();
  const input = Buffer.alloc(3_000_000, 'abcdefg\n');
  const { code, stdout } = await door.docker(['run', '--rm', '-i', 'nanoserver', 'cat'], { input });
  assert.equal(code, 0);
  assert.equal(stdout, input.toString());
});

test('output that comes after the end of input is not lost', async () => {
  await using door = await openDoor();
  assert.equal(
    (await door.docker(['run', '--rm', '-i', 'nanoserver', 'late'], { input: 'x' })).stdout,
    'after the end of input\n',
  );
});

test('docker run exits with 125, 126 and 127 as users know it', async () => {
  await using door = await openDoor();
  const unknown = await door.docker(['run', '--rm', 'nowhere', 'true']);
  assert.equal(unknown.code, 125);
  assert.match(unknown.stderr, /cannot pull images yet, and "nowhere:latest" is not on this machine/);
  assert.equal((await door.docker(['run', '--rm', 'nanoserver', 'nope'])).code, 127);
  assert.equal((await door.docker(['run', '--rm', 'nanoserver', '/etc'])).code, 126);
  const vm = await door.docker(['run', '--rm', '--isolation=vm', 'nanoserver', 'true']);
  assert.equal(vm.code, 125);
  assert.match(vm.stderr, /invalid isolation "vm"/);
});

test("a taken name and a name with a slash are refused in Docker's words", async () => {
  await using door = await openDoor();
  assert.equal((await door.docker(['create', '--name', 'one', 'nanoserver', 'true'])).code, 0);
  assert.match(
    (await door.docker(['create', '--name', 'one', 'nanoserver', 'true'])).stderr,
    /Conflict. The container name "\/one" is already in use by container/,
  );
  assert.match(
    (await door.docker(['create', '--name', 'a/b', 'nanoserver', 'true'])).stderr,
    /Invalid container name \(a\/b\)/,
  );
  assert.match(
    (await door.docker(['create', '-m', '1b', 'nanoserver', 'true'])).stderr,
    /Minimum memory limit allowed is 6MB/,
  );
});

test('docker ps, inspect, stop, rename, logs and rm agree on a container', async () => {
  await using door = await openDoor();
  const id = (
    await door.docker(['run', '-d', '--name', 'one', '-l', 'k=v', '--isolation', 'hyperv', 'nanoserver', 'tick'])
  ).stdout.trim();
  const line = await door.docker([
    'ps',
    '--no-trunc',
    '--filter',
    'label=k=v',
    '--filter',
    'status=running',
    '--format',
    '{{.ID}} {{.Names}} {{.Status}}',
  ]);
  assert.match(line.stdout, new RegExp(`^${id} one Up (Less than a second|1 second)\n$`));
  assert.equal(
    (await door.docker(['inspect', '-f', '{{.State.Status}} {{.HostConfig.Isolation}} {{.Name}} {{.Path}}', 'one']))
      .stdout,
    'running hyperv /one tick\n',
  );
  assert.match((await door.docker(['inspect', 'one'])).stdout, /"Guid": "[0-9a-f]{8}-[0-9a-f]{4}-/);
  assert.equal((await door.docker(['rename', 'one', 'two'])).code, 0);
  assert.match((await door.docker(['rm', 'two'])).stderr, /container is running/);
  assert.equal((await door.docker(['stop', 'two'])).code, 0);
  assert.match((await door.docker(['logs', '--tail', '1', '-t', 'two'])).stdout, /^\d{4}-\d\d-\d\dT.*Z tick\n$/);
  assert.match(
    (await door.docker(['ps', '-a', '--format', '{{.Status}}'])).stdout,
    /^Exited \(143\) (Less than a second|\d+ seconds?) ago\n$/,
  );
  assert.equal((await door.docker(['rm', 'two'])).code, 0);
});

test('docker exec has its own output, exit code and input; a missing command is 127', async () => {
  await using door = await openDoor();
  await door.docker(['run', '-d', '--name', 'one', 'nanoserver', 'sleep']);
  assert.deepEqual(await door.docker(['exec', 'one', 'both']), { code: 0, stdout: 'out\n', stderr: 'err\n' });
  assert.equal((await door.docker(['exec', 'one', 'exit', '9'])).code, 9);
  assert.equal(
    (await door.docker(['exec', '-i', 'one', 'count'], { input: Buffer.alloc(1_000_000) })).stdout,
    '1000000\n',
  );
  const missing = await door.docker(['exec', 'one', 'nope']);
  assert.equal(missing.code, 127);
  assert.match(missing.stdout, /executable file not found/);
  assert.equal((await door.docker(['exec', '-d', 'one', 'true'])).code, 0);
});

test('docker attach sees what comes, wait and kill work, start -a too', async () => {
  await using door = await openDoor();
  await door.docker(['run', '-d', '--name', 'one', 'nanoserver', 'sleep']);
  const waiting = door.docker(['wait', 'one']);
  const attached = door.docker(['attach', '--no-stdin', '--sig-proxy=false', 'one']);
  for (;;) {
    if (door.fake.held() > 0) break;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal((await door.docker(['kill', '-s', 'HUP', 'one'])).code, 0);
  assert.equal((await door.docker(['kill', 'one'])).code, 0);
  assert.equal((await waiting).stdout, '137\n');
  assert.deepEqual(await attached, { code: 137, stdout: 'HUP\n', stderr: '' });
  await door.docker(['create', '--name', 'two', 'nanoserver', 'echo', 'again']);
  assert.equal((await door.docker(['start', '-a', 'two'])).stdout, 'again\n');
});

test('a flood of output arrives whole', async () => {
  await using door = await openDoor();
  const { stdout } = await door.docker(['run', '--rm', 'nanoserver', 'flood', '20000000']);
  assert.equal(stdout.length, 20_000_000);
});

test('images, networks, info, version, events, top, diff, cp, export, load, save and import answer docker', async () => {
  await using door = await openDoor();
  assert.equal((await door.docker(['images', '--format', '{{.Repository}}:{{.Tag}}'])).stdout, 'nanoserver:latest\n');
  assert.equal((await door.docker(['image', 'inspect', '-f', '{{.Os}}', '111111111111'])).stdout, 'linux\n');
  assert.match((await door.docker(['history', 'nanoserver'])).stdout, /base/);
  assert.equal((await door.docker(['tag', 'nanoserver', 'other:1'])).code, 0);
  assert.equal((await door.docker(['rmi', 'nanoserver'])).stdout, 'Untagged: nanoserver:latest\n');
  assert.match((await door.docker(['network', 'ls'])).stdout, /bridge\s+bridge\s+local/);
  assert.equal((await door.docker(['network', 'create', 'mine'])).stdout.trim(), '3'.repeat(64));
  assert.match((await door.docker(['info'])).stdout, /Default Isolation: process|Server Version: 0\.1\.0/);
  const { stdout: info } = await door.docker(['info']);
  for (const line of [
    'Waiting VMs: 1 of 2',
    'VM template: ready',
    'VM parent: failed; next attempt in 40 s',
    'VM pool: being made',
  ])
    assert.ok(info.includes(` ${line}\n`), `${line}\n${info}`);
  assert.match((await door.docker(['version'])).stdout, /API version: +1\.47 \(minimum version 1\.24\)/);
  await door.docker(['run', '-d', '--name', 'one', 'nanoserver', 'sleep']);
  assert.match(
    (await door.docker(['events', '--since', '1', '--until', '2', '--filter', 'event=start'])).stdout,
    /container start [0-9a-f]{64} \(image=nanoserver, name=one\)/,
  );
  assert.match((await door.docker(['top', 'one'])).stdout, /4242\s+csrss/);
  assert.equal((await door.docker(['diff', 'one'])).stdout, 'A /new\nC /etc\n');
  assert.equal((await door.docker(['export', 'one'])).stdout.length, 2048);
  assert.equal((await door.docker(['save', 'nanoserver'])).stdout.length, 1024);
  assert.match((await door.docker(['load'], { input: Buffer.alloc(1024) })).stdout, /Loaded image: nanoserver:latest/);
  assert.match((await door.docker(['import', '-', 'x:y'], { input: Buffer.alloc(1024) })).stdout, /^sha256:1{64}\n/);
  assert.match((await door.docker(['commit', 'one', 'x:z'])).stdout, /^sha256:1{64}\n/);
  assert.equal((await door.docker(['cp', '/etc/hostname', 'one:/tmp'])).code, 0);
  assert.equal(door.fake.received[0]?.path, '/tmp');
  assert.equal((await door.docker(['cp', 'one:/nothing', '-'])).code, 1);
  assert.match((await door.docker(['system', 'df'])).stdout, /Images\s+1/);
  assert.match((await door.docker(['volume', 'ls', '-q'])).stdout, /^$/);
});

test('words that Twofold lacks are named, not swallowed', async () => {
  await using door = await openDoor();
  await door.docker(['run', '-d', '--name', 'one', 'nanoserver', 'sleep']);
  const refused: [string[], RegExp][] = [
    [['run', '-v', '/a:/b', 'nanoserver', 'true'], /bind mounts and volumes/],
    [['run', '-v', '/b', 'nanoserver', 'true'], /volumes/],
    [['run', '--mount', 'type=tmpfs,destination=/x', 'nanoserver', 'true'], /mounts \(--mount\)/],
    [['run', '-p', '80:80', 'nanoserver', 'true'], /published ports/],
    [['run', '-P', 'nanoserver', 'true'], /published ports/],
    [['run', '--device', '/dev/null', 'nanoserver', 'true'], /host devices/],
    [['run', '--pid', 'host', 'nanoserver', 'true'], /--pid/],
    [['run', '--ipc', 'host', 'nanoserver', 'true'], /--ipc/],
    [['run', '--uts', 'host', 'nanoserver', 'true'], /--uts/],
    [['run', '--userns', 'keep', 'nanoserver', 'true'], /--userns|user namespace/i],
    [['run', '--security-opt', 'label=type:x', 'nanoserver', 'true'], /--security-opt label=type:x/],
    [['run', '--log-driver', 'syslog', 'nanoserver', 'true'], /log driver "syslog"/],
    [['run', '--cgroup-parent', '/x', 'nanoserver', 'true'], /--cgroup-parent/],
    [['run', '--health-cmd', 'true', 'nanoserver', 'true'], /health checks/],
    [['run', '--network', 'container:one', 'nanoserver', 'true'], /another container's network/],
    [['run', '--gpus', 'all', 'nanoserver', 'true'], /--gpus/],
    [['run', '--blkio-weight', '10', 'nanoserver', 'true'], /--blkio-weight/],
    [['pull', 'x'], /cannot pull images yet, and "x:latest" is not on this machine/],
    [['run', '--pull=always', 'nanoserver', 'true'], /is already on this machine/],
    [['push', 'nanoserver'], /docker push/],
    [['search', 'x'], /docker search/],
    [['stats', '--no-stream', 'one'], /docker stats|resource statistics/i],
    [['volume', 'create', 'x'], /Volumes/],
    [['swarm', 'init'], /Swarm/],
    [['network', 'create', '--driver', 'overlay', 'far'], /the network driver "overlay"/],
    [['network', 'create', '--ipv6', 'six'], /IPv6/],
    [['network', 'connect', '--link-local-ip', '169.254.1.1', 'NAT', 'one'], /link-local/],
    [['node', 'ls'], /This node is not a swarm manager/],
    [['plugin', 'inspect', 'x'], /plugin "x" not found/],
    [['plugin', 'install', '--grant-all-permissions', 'x'], /Plugins/],
    [['login', '-u', 'a', '-p', 'b'], /docker login/],
  ];
  for (const [words, sentence] of refused) {
    const { code, stderr } = await door.docker(words);
    assert.notEqual(code, 0, words.join(' '));
    assert.match(stderr, sentence, words.join(' '));
  }
});

test('everything that docker run can say and Twofold carries out reaches the engine', async () => {
  await using door = await openDoor();
  const ran = await door.docker([
    'create',
    '--name',
    'one',
    '-it',
    '-e',
    'A=b',
    '-w',
    '/w',
    '-u',
    '1:2',
    '--hostname',
    'h',
    '--entrypoint',
    'echo',
    '-l',
    'k=v',
    '--read-only',
    '--tmpfs',
    '/t:size=1m',
    '--cap-add',
    'CAP_NET_ADMIN',
    '--cap-drop',
    'ALL',
    '--memory',
    '64m',
    '--cpus',
    '1.5',
    '--pids-limit',
    '50',
    '--ulimit',
    'nofile=10:20',
    '--init',
    '--isolation',
    'HyperV',
    '--network',
    'Virtual Switch',
    '--ip',
    '10.0.0.9',
    '--network-alias',
    'db',
    '--mac-address',
    '02:42:AC:11:00:02',
    '--restart',
    'on-failure:3',
    '--security-opt',
    'no-new-privileges',
    '--security-opt',
    'seccomp=unconfined',
    '--log-opt',
    'max-size=1m',
    '--dns',
    '1.1.1.1',
    '--add-host',
    'a:1.2.3.4',
    '--sysctl',
    'net.ipv4.ip_forward=1',
    '--shm-size',
    '1m',
    '--stop-signal',
    'SIGINT',
    '--stop-timeout',
    '3',
    '--privileged',
    '--group-add',
    '7',
    '--no-healthcheck',
    'nanoserver',
    'hello',
  ]);
  assert.equal(ran.stderr, '');
  const { name, config, hostConfig, networks } = door.fake.lastCreate()!;
  assert.equal(name, 'one');
  assert.deepEqual(
    [
      config.Entrypoint,
      config.Cmd,
      config.Env,
      config.User,
      config.WorkingDir,
      config.Hostname,
      config.Tty,
      config.OpenStdin,
      config.StopSignal,
      config.StopTimeout,
    ],
    [['echo'], ['hello'], ['A=b'], '1:2', '/w', 'h', true, true, 'SIGINT', 3],
  );
  assert.deepEqual(
    [
      hostConfig.Memory,
      hostConfig.NanoCpus,
      hostConfig.PidsLimit,
      hostConfig.Isolation,
      hostConfig.ReadonlyRootfs,
      hostConfig.Init,
      hostConfig.Privileged,
      hostConfig.ShmSize,
    ],
    [64 << 20, 1.5e9, 50, 'HyperV', true, true, true, 1 << 20],
  );
  assert.deepEqual(
    [hostConfig.CapAdd, hostConfig.CapDrop, hostConfig.Tmpfs, hostConfig.Ulimits],
    [['CAP_NET_ADMIN'], ['ALL'], { '/t': 'size=1m' }, [{ Name: 'nofile', Hard: 20, Soft: 10 }]],
  );
  assert.deepEqual(hostConfig.RestartPolicy, { Name: 'on-failure', MaximumRetryCount: 3 });
  assert.deepEqual(networks, [
    { reference: 'Virtual Switch', address: '10.0.0.9', mac: '02:42:AC:11:00:02', aliases: ['db'] },
  ]);
});
