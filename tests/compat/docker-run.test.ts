// The stock docker CLI's `run`, word by word, with the same outcome under both isolations.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { command } from '../support/command.ts';
import { daemonForTests } from '../support/daemon.ts';
import { isolations } from '../support/isolations.ts';

const daemon = daemonForTests();

const IMAGE = 'nanoserver';

for (const isolation of isolations) {
  describe(`docker run --isolation=${isolation}`, () => {
    const run = (words: readonly string[], input?: string | Buffer) =>
      daemon.docker(['run', '--rm', `--isolation=${isolation}`, ...words], input === undefined ? {} : { input });
    const output = (words: readonly string[]) => daemon.ok(['run', '--rm', `--isolation=${isolation}`, ...words]);

    test('prints what the command prints, each stream on its own', async () => {
      const result = await run([IMAGE, 'sh', '-c', 'echo out; echo err >&2']);
      assert.deepEqual([result.code, result.stdout, result.stderr], [0, 'out\n', 'err\n']);
    });

    test('ends with the exit code of the command', async () => {
      assert.equal((await run([IMAGE, 'sh', '-c', 'exit 3'])).code, 3);
    });

    test('ends with 128 + signal when a signal ends the command', async () => {
      assert.equal((await run(['--entrypoint', 'sh', IMAGE, '-c', 'exec sh -c "kill -9 \\$\\$" & wait $!'])).code, 137);
    });

    test('ends with 127 for a command that does not exist, and says which', async () => {
      const result = await run([IMAGE, 'no-such-program']);
      assert.equal(result.code, 127);
      assert.match(result.stderr, /no-such-program.*not found/s);
    });

    test('ends with 127 for an entrypoint that does not exist', async () => {
      const result = await run(['--entrypoint', '/no/such/entrypoint', IMAGE]);
      assert.equal(result.code, 127);
      assert.match(result.stderr, /no such file or directory/);
    });

    test('ends with 126 for an entrypoint that cannot be executed', async () => {
      const result = await run(['--entrypoint', '/etc/passwd', IMAGE]);
      assert.equal(result.code, 126);
      assert.match(result.stderr, /permission denied/);
    });

    test('gives environment, working directory, user, host name and entrypoint', async () => {
      const script = 'echo $COLOUR; pwd; id -u; id -g; hostname; cat /etc/hostname; echo $HOME';
      const text = await output([
        '-e',
        'COLOUR=green',
        '-w',
        '/tmp/made',
        '-u',
        '1234:5678',
        '--hostname',
        'kiosk',
        '--entrypoint',
        'sh',
        IMAGE,
        '-c',
        script,
      ]);
      assert.equal(text, 'green\n/tmp/made\n1234\n5678\nkiosk\nkiosk\n/');
    });

    test('refuses a user that the image does not know', async () => {
      const result = await run(['-u', 'nobody-here', IMAGE, 'true']);
      assert.notEqual(result.code, 0);
      assert.match(result.stderr, /unable to find user nobody-here/);
    });

    test('makes the root file system read-only, and a tmpfs writable', async () => {
      const text = await output([
        '--read-only',
        '--tmpfs',
        '/scratch:size=1m,mode=1777',
        IMAGE,
        'sh',
        '-c',
        'touch /x 2>/dev/null || echo refused; touch /scratch/x && echo written; df -k /scratch | tail -1 | tr -s " " | cut -d" " -f2',
      ]);
      assert.equal(text, 'refused\nwritten\n1024');
    });

    test('keeps to the capabilities that were given', async () => {
      const effective = async (...words: string[]) =>
        await output([...words, IMAGE, 'sh', '-c', 'grep CapEff /proc/self/status | cut -f2']);
      assert.equal(await effective(), '00000000a80425fb');
      assert.equal(await effective('--cap-drop', 'ALL'), '0000000000000000');
      assert.equal(await effective('--cap-drop', 'ALL', '--cap-add', 'NET_ADMIN'), '0000000000001000');
    });

    test('limits memory, processors and processes', async () => {
      const over = await run(['--memory', '32m', IMAGE, 'tail', '/dev/zero']);
      assert.equal(over.code, 137, over.stderr);
      const forks = await run([
        '--pids-limit',
        '8',
        IMAGE,
        'sh',
        '-c',
        'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; echo made',
      ]);
      assert.match(forks.stderr + forks.stdout, /fork|Resource temporarily unavailable/);
    });

    test('sets limits of the process', async () => {
      assert.equal(
        await output(['--ulimit', 'nofile=512:1024', IMAGE, 'sh', '-c', 'ulimit -Sn; ulimit -Hn']),
        '512\n1024',
      );
    });

    test('filters system calls and gains no privileges by default', async () => {
      assert.equal(await output([IMAGE, 'sh', '-c', 'grep ^Seccomp: /proc/self/status | cut -f2']), '2');
      assert.equal(
        await output([
          '--security-opt',
          'no-new-privileges',
          IMAGE,
          'sh',
          '-c',
          'grep NoNewPrivs /proc/self/status | cut -f2',
        ]),
        '1',
      );
    });

    test('runs an init of its own with --init', async () => {
      assert.match(await output(['--init', '--entrypoint', 'sh', IMAGE, '-c', 'cat /proc/1/comm']), /init/);
    });

    test('passes input through byte for byte', async () => {
      const input = randomBytes(4 << 20);
      const result = await run(['-i', '--entrypoint', 'cat', IMAGE], input);
      assert.equal(result.code, 0, result.stderr);
      assert.equal(
        createHash('sha256').update(result.bytes).digest('hex'),
        createHash('sha256').update(input).digest('hex'),
      );
    });

    test('gives all of its output to a slow reader, also when the container has ended and is gone before that has read', async () => {
      // More than the reader's pipe takes, less than all that holds output on the way: the process ends, and what it
      // has left waits somewhere.
      const sizes = [500, 700, 800, 900, 1000, 1100];
      const words = (kibibytes: number) =>
        `docker run --rm --isolation=${isolation} ${IMAGE} head -c ${kibibytes}k /dev/zero | (sleep 3; wc -c)`;
      const read = await Promise.all(
        sizes.map((kibibytes) => command('sh', ['-c', words(kibibytes)], { env: daemon.env })),
      );
      assert.deepEqual(
        read.map(({ stdout }) => Number(stdout)),
        sizes.map((kibibytes) => kibibytes * 1024),
      );
    });

    test('reads end of file where no input was asked for', async () => {
      const result = await run([IMAGE, 'cat']);
      assert.deepEqual([result.code, result.stdout], [0, '']);
    });

    test('takes an image by its short id, and cmd as the command', async () => {
      const id = (await daemon.ok(['images', '--quiet', IMAGE])).slice(0, 12);
      const result = await run(['-i', id, 'cmd'], 'echo from cmd\nexit\n');
      assert.equal(result.code, 0, result.stderr);
      assert.match(result.stdout, /from cmd/);
    });

    test('masks what Docker masks', async () => {
      const text = await output([
        IMAGE,
        'sh',
        '-c',
        'wc -c < /proc/timer_list; ls /proc/acpi 2>/dev/null | wc -l; echo 1 > /proc/sys/kernel/domainname 2>/dev/null || echo read-only',
      ]);
      assert.equal(text, '0\n0\nread-only');
    });

    test('gives each container an address and a name that others can find', async () => {
      const id = await daemon.ok([
        'run',
        '--detach',
        `--isolation=${isolation}`,
        '--name',
        `host-${isolation}`,
        IMAGE,
        'sleep',
        '600',
      ]);
      try {
        const address = await daemon.ok([
          'inspect',
          '--format',
          '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}',
          id,
        ]);
        assert.match(address, /^10\./);
        const text = await output([
          IMAGE,
          'sh',
          '-c',
          `ping -c 1 -W 5 ${address} >/dev/null && echo reached; nslookup host-${isolation} | tail -n 3`,
        ]);
        assert.match(text, /^reached/);
        assert.ok(text.includes(address), text);

        // The switch knows where it is, and did not learn it.
        const mac = await daemon.ok([
          'inspect',
          '--format',
          '{{range .NetworkSettings.Networks}}{{.MacAddress}}{{end}}',
          id,
        ]);
        const table = await command('bridge', ['-json', 'fdb', 'show', 'br', `${daemon.linkPrefix}0`]);
        const places = JSON.parse(table.stdout) as { mac: string; state?: string }[];
        assert.deepEqual(
          places.filter((place) => place.mac === mac).map(({ state }) => state),
          ['static'],
        );
      } finally {
        await daemon.ok(['rm', '--force', id]);
      }
    });
  });
}

test('both isolations show the same container to the process inside', async () => {
  // Not compared: what belongs to the kernel below, such as its limits, its control groups, and files of /proc that
  // only some have.
  const probe = [
    'id; pwd; env | sort | grep -v HOSTNAME; umask; ls /; ls -ld /tmp /root /etc | cut -c1-10; ls /dev | grep -v ^core | sort',
    'cut -d" " -f2,3 /proc/self/mounts | grep -vE "^/ |^/etc/|^/sys/fs/cgroup|^/proc/[^s]|sysrq" | sort',
    'grep -E "^(Cap|Seccomp:|NoNewPrivs|Groups)" /proc/self/status; cat /etc/hosts | cut -f1 | head -n 1; cat /proc/1/comm; wc -c < /etc/resolv.conf | grep -c .',
  ].join('; ');
  const [first, second] = await Promise.all(
    isolations.map((isolation) => daemon.ok(['run', '--rm', `--isolation=${isolation}`, IMAGE, 'sh', '-c', probe])),
  );
  assert.equal(second, first);
});
