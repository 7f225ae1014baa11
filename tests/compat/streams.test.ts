// Connections that carry a process's streams, as clients hold them and let go of them: attach, its replay of the log,
// input without output, and execs, also by Docker's own client in Python.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { command } from '../support/command.ts';
import { daemonForTests } from '../support/daemon.ts';
import { isolations } from '../support/isolations.ts';
import { until } from '../support/until.ts';

const limit = { timeout: 240_000 };
const image = 'nanoserver';
const daemon = daemonForTests();

/** A connection on which `path` is asked to be taken over. */
async function ask(path: string): Promise<Socket> {
  const socket = connect({ path: daemon.socket, allowHalfOpen: true });
  await once(socket, 'connect');
  socket.write(`POST ${path} HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`);
  return socket;
}

for (const isolation of isolations) {
  describe(`beside a ${isolation} container`, () => {
    const run = (name: string, ...words: string[]) =>
      daemon.ok(['run', '--detach', '--rm', '--name', name, '--isolation', isolation, ...words]);
    /** Writes more than everything on the way holds, and then sleeps. */
    const floods = ['sh', '-c', 'head -c 8m /dev/zero; sleep 1000'];
    const hasWritten = (name: string) => async () => !/head/.test(await daemon.ok(['top', name, '-o', 'pid,comm']));

    test('input arrives whole, and its end, though the client wants no output and goes', limit, async () => {
      const input = Buffer.alloc(1_000_000, 'x');
      const words = ['--interactive', '--attach', 'stdin', '--name', 'eats', '--isolation', isolation, image];
      const ran = await daemon.docker(['run', ...words, 'sh', '-c', 'sleep 1; wc -c'], { input, timeoutMs: 60_000 });
      assert.equal(ran.code, 0, ran.stderr);
      assert.equal(await daemon.ok(['wait', 'eats'], { timeoutMs: 60_000 }), '0');
      assert.equal(await daemon.ok(['logs', 'eats']), '1000000');
      await daemon.ok(['rm', 'eats']);
    });

    test('a log that cannot be read refuses the attachment, and the output goes on', limit, async () => {
      await run('silent', '--log-driver', 'none', image, ...floods);
      const socket = await ask('/containers/silent/attach?logs=1&stream=1&stdout=1&stderr=1');
      const [answer] = (await once(socket, 'data')) as [Buffer];
      assert.match(answer.toString(), /^HTTP\/1.1 400 [\s\S]*does not support reading/);
      await until('it has written everything', hasWritten('silent'));
      socket.destroy();
      await daemon.ok(['rm', '--force', 'silent']);
    });

    test('a client that goes during the replay of the log holds up nothing', limit, async () => {
      const words = 'head -c 8m /dev/zero; read go; head -c 8m /dev/zero; sleep 1000';
      await run('told', '--interactive', image, 'sh', '-c', words);
      await until('there is a log to replay', hasWritten('told'));
      const socket = await ask('/containers/told/attach?logs=1&stream=1&stdout=1');
      await once(socket, 'data');
      socket.destroy();
      const input = await ask('/containers/told/attach?stream=1&stdin=1');
      input.write('go\n');
      await until('the rest is being written', async () =>
        /sleep/.test(await daemon.ok(['top', 'told', '-o', 'pid,comm'])),
      );
      input.destroy();
      await daemon.ok(['rm', '--force', 'told']);
    });

    test('execs tell what keeps them from starting, and end with 126 or 127', limit, async () => {
      await run('host', image, 'sleep', '1000');
      const outcomes: [words: string[], code: number, message: RegExp][] = [
        [['-u', 'nouser', 'host', 'true'], 126, /nouser/],
        [['-w', '/etc/passwd', 'host', 'true'], 126, /./],
        [['host', '/etc'], 126, /permission denied|is a directory/],
        [['host', 'no-such-program'], 127, /no-such-program/],
      ];
      for (const [words, code, message] of outcomes) {
        const ran = await daemon.docker(['exec', ...words]);
        assert.deepEqual([ran.code, message.test(ran.stdout + ran.stderr)], [code, true], ran.stdout + ran.stderr);
        assert.doesNotMatch(ran.stderr, /upgrade/);
      }
      await daemon.ok(['rm', '--force', 'host']);
    });

    test("Docker's client in Python gets all output of every exec", limit, async () => {
      await run('python', image, 'sleep', '1000');
      const script = `
import docker
container = docker.from_env().containers.get('python')
right = 0
for n in range(30):
    code, output = container.exec_run(['echo', 'line', str(n)])
    right += code == 0 and output == b'line %d\\n' % n
print(right)
print(container.exec_run(['sh', '-c', 'echo out; echo err >&2'], demux=True).output)
print(container.exec_run(['sh', '-c', 'test -t 1 && echo terminal'], tty=True).output)
print(container.exec_run(['sh', '-c', 'echo out; echo err >&2'], stdout=False).output)
print(container.exec_run('true', user='nouser').exit_code)
`;
      const ran = await command('/usr/bin/python3', ['-c', script], { env: daemon.env });
      assert.equal(ran.stdout, "30\n(b'out\\n', b'err\\n')\nb'terminal\\r\\n'\nb'err\\n'\n126\n", ran.stderr);
      await daemon.ok(['rm', '--force', 'python']);
    });
  });
}
