// The command `twofold` as it is installed, before a front door and before things that only look like one: what it
// gives is what the CLI gives, and whatever it can't do it leaves to the CLI.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { isTwofoldError } from '@twofold/contract';
import { runRootOf, socketOf } from '@twofold/contract/instance.ts';
import { socketPathOf } from '@twofold/verbs/connect.ts';
import { askingVerbs } from '@twofold/verbs/run.ts';
import { Command } from 'commander';
import { command, type CommandResult } from '../support/command.ts';
import { handedOn, installCommand } from '../support/installed.ts';
import { openDoor } from './door.ts';

const CLI = join(import.meta.dirname, '../../packages/cli/src/main.ts');
const installed = installCommand();
after(() => installed[Symbol.dispose]());

const frontAt = (socket: string, words: readonly string[], program = installed.frontAlone): Promise<CommandResult> =>
  command(program, words, { env: { ...process.env, TWOFOLD_HOST: `unix://${socket}` } });
const cliAt = (socket: string, words: readonly string[]): Promise<CommandResult> =>
  command(process.execPath, [CLI, ...words], { env: { ...process.env, TWOFOLD_HOST: `unix://${socket}` } });
const shown = ({ code, stdout, stderr }: CommandResult) => ({ code, stdout, stderr });

interface Body {
  Words: string[];
  Stdout?: { Colours: boolean; Columns: number };
  Stderr?: { Colours: boolean; Columns: number };
}

/** Something that listens where a daemon would. */
async function listener(
  answer: (response: ServerResponse, request: IncomingMessage) => void,
  socket: string = join(installed.directory, `s${Math.random().toString(36).slice(2)}`),
): Promise<{ socket: string; bodies: Body[] } & AsyncDisposable> {
  const bodies: Body[] = [];
  const server = createServer(
    (request, response) =>
      void text(request).then((body) => {
        if (body !== '') bodies.push(JSON.parse(body) as Body);
        answer(response, request);
      }),
  );
  await new Promise<void>((resolve) => void server.listen(socket, resolve));
  return {
    socket,
    bodies,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const frame = (stream: number, data: string | Buffer): Buffer => {
  const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(Buffer.byteLength(data), 4);
  return Buffer.concat([header, Buffer.from(data)]);
};
const type = { 'Content-Type': 'application/vnd.twofold.verb-stream' };
const good = (response: ServerResponse, text = ''): void =>
  void response.writeHead(200, type).end(Buffer.concat([frame(1, text), frame(4, Buffer.of(0))]));

test('what only asks gives byte for byte what the CLI gives', async () => {
  await using door = await openDoor();
  await door.docker(['run', '--detach', '--name', 'one', 'nanoserver', 'sleep', 'a "quoted" word that is long']);
  await door.docker(['create', '--name', 'two', '--isolation', 'hyperv', 'nanoserver', 'true']);
  const table: string[][] = [
    ['ps'],
    ['ps', '-a'],
    ['ps', '-aq'],
    ['ps', '-a', '--format', 'json'],
    ['ps', '--all', '--filter', 'name=one', '-f', 'isolation=process'],
    ['ps', '--filter', 'isolation=nonsense'],
    ['ps', '--help'],
    ['ps', '--bogus'],
    ['ps', '--format', 'xml'],
    ['ps', '--format'],
    ['ps', 'too', 'many'],
    ['ps', '--', '-x'],
    ['ps', '--host', 'unix:///nobody'],
    ['ps', '--filter', 'name="quoted"\n\t\x01\\ü🙂\x7f'],
    ['images'],
    ['images', '-q'],
    ['images', '--format', 'json'],
    ['images', '-h'],
    ['switches'],
    ['switches', '--format', 'json'],
    ['switches', 'rm', 'nosuch'],
    ['switches', 'rm'],
    ['switches', 'help'],
    ['switches', 'nosuch'],
    ['compute'],
    ['compute', '--format', 'json'],
    ['compute', 'stop', 'nosuch'],
    ['compute', '--help'],
    ['start'],
    ['start', 'nosuch'],
    ['start', '--help'],
    ['stop', '--time', 'x', 'one'],
    ['stop', 'nosuch'],
    ['rm', 'nosuch'],
    ['rm', 'no', 'such', ''],
    ['rm', 'a"b\nc\td\x1b[1m\\'],
    ['rm', 'x'.repeat(70_000).slice(0, 65_000)],
    ['-H', `unix://${door.socketPath}`, 'ps', '-q'],
    [`--host=${door.socketPath}`, 'ps', '-q'],
    ['--host', 'unix:///nobody', '-H', door.socketPath, 'ps', '-q'],
  ];
  for (const words of table) {
    const ask = () => Promise.all([frontAt(door.socketPath, words), cliAt(door.socketPath, words)]);
    let [front, cli] = await ask();
    // "Up 1 second" may have become "Up 2 seconds" between the two.
    for (let tries = 0; tries < 3 && front.stdout !== cli.stdout; tries++) [front, cli] = await ask();
    assert.deepEqual(shown(front), shown(cli), JSON.stringify(words).slice(0, 200));
  }
});

test('what changes something does what the CLI does, and says the same', async () => {
  await using ours = await openDoor();
  await using theirs = await openDoor();
  for (const door of [ours, theirs])
    for (const name of ['one', 'two']) await door.docker(['create', '--name', name, 'nanoserver', 'sleep']);
  for (const words of [
    ['start', 'one', 'nosuch', 'two'],
    ['start', 'one'],
    ['rm', 'one'],
    ['stop', '-t', '0', 'one'],
    ['rm', 'one', 'one'],
    ['rm', '--force', 'two'],
    ['ps', '-a'],
  ]) {
    const [front, cli] = await Promise.all([frontAt(ours.socketPath, words), cliAt(theirs.socketPath, words)]);
    assert.deepEqual(shown(front), shown(cli), words.join(' '));
  }
});

test('on a terminal the colours and the width of the help are as the CLI has them', async () => {
  await using door = await openDoor();
  const onTerminal = async (program: string, words: string, columns: number, env = {}): Promise<string> =>
    (
      await command('script', ['-qec', `stty cols ${columns}; ${program} ${words}`, '/dev/null'], {
        env: { ...process.env, TWOFOLD_HOST: `unix://${door.socketPath}`, ...env },
      })
    ).stdout;
  for (const [words, columns, env] of [
    ['rm nosuch', 80, {}],
    ['rm nosuch', 80, { NO_COLOR: '' }],
    ['switches create --help', 80, {}],
    ['switches create --help', 0, {}],
    ['switches create --help', 200, {}],
  ] as const) {
    const [front, cli] = await Promise.all([
      onTerminal(installed.frontAlone, words, columns, env),
      onTerminal(`'${process.execPath}' '${CLI}'`, words, columns, env),
    ]);
    assert.equal(front, cli, `${words} ${columns}`);
    if (words === 'rm nosuch') assert.equal(front.includes('\x1b[31m'), !('NO_COLOR' in env), front);
  }
});

test('words arrive as they were given, whatever is in them', async () => {
  await using daemon = await listener((response) => good(response));
  const words = [
    'ps',
    '',
    ' ',
    '"',
    '\\',
    '\\"',
    '\n\r\t\b\f',
    '\x01\x1f\x7f',
    'ü€🙂\u2028\ufffd',
    '{"Words":[]}',
    'a'.repeat(60_000),
    '-H',
    '%s%n',
  ];
  assert.equal((await frontAt(daemon.socket, words)).code, 0);
  assert.deepEqual(daemon.bodies, [{ Words: words }]);
});

test('every verb that only asks goes to the daemon, and no other does', async () => {
  await using daemon = await listener((response) => good(response, 'daemon'));
  for (const verb of Object.keys(askingVerbs))
    assert.equal((await frontAt(daemon.socket, [verb])).stdout, 'daemon', verb);
  const all = [...(await cliAt(daemon.socket, ['--help'])).stdout.matchAll(/^ {2}([a-z]+)[ |[]/gm)].map(
    (match) => match[1]!,
  );
  const others = all.filter((verb) => !Object.hasOwn(askingVerbs, verb));
  assert.ok(others.length > 8, others.join(' '));
  const left: string[][] = [
    ...others.map((verb) => [verb]),
    [],
    [''],
    ['--help'],
    ['-h'],
    ['--version'],
    ['nonsense'],
    ['PS'],
    ['--', 'ps'],
    ['--bogus', 'ps'],
    ['-H'],
    ['--host'],
    ['--host='],
    [`-H${daemon.socket}`, 'ps'],
    ['--host', 'tcp://localhost', 'ps'],
    ['-H', 'relative', 'ps'],
    ['-H', `/${'x'.repeat(108)}`, 'ps'],
    ['ps', 'x'.repeat(100_000), ...Array.from({ length: 10 }, () => 'x'.repeat(100_000))],
  ];
  for (const words of left) {
    const result = await frontAt(daemon.socket, words);
    assert.deepEqual(shown(result), { code: 77, stdout: handedOn(words), stderr: '' }, words.join(' ').slice(0, 200));
  }
  assert.equal(daemon.bodies.length, Object.keys(askingVerbs).length);
});

test('words that are no UTF-8 go to the CLI as they are', async () => {
  await using daemon = await listener((response) => good(response));
  for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x78, 0x80]]) {
    const escaped = bytes.map((byte) => `\\${byte.toString(8)}`).join('');
    const result = await command('sh', [
      '-c',
      `exec "$0" --host '${daemon.socket}' ps "$(printf '${escaped}')"`,
      installed.frontAlone,
    ]);
    assert.deepEqual(
      [result.code, result.bytes],
      [
        77,
        Buffer.concat([Buffer.from(handedOn(['--host', daemon.socket, 'ps'])), Buffer.from(bytes), Buffer.from('\n')]),
      ],
    );
  }
  assert.deepEqual(daemon.bodies, []);
});

test('front and CLI mean the same daemon by the same words and environment', async () => {
  const name = `t${process.pid.toString(36)}`;
  const directory = runRootOf(name);
  mkdirSync(directory);
  try {
    await using named = await listener((response) => good(response, 'named'), socketOf(name));
    await using other = await listener((response) => good(response, 'other'));
    const table: [words: string[], environment: NodeJS.ProcessEnv][] = [];
    const places = [
      name,
      other.socket,
      `unix://${other.socket}`,
      'default',
      '',
      'nobody',
      'Not-a-name',
      'x'.repeat(17),
    ];
    for (const place of places) {
      table.push(
        [['--instance', place], {}],
        [[`--instance=${place}`], {}],
        [['-H', place], {}],
        [[`--host=${place}`], {}],
      );
      table.push([[], { TWOFOLD_HOST: place }], [[], { TWOFOLD_INSTANCE: place }]);
      table.push([['--instance', place], { TWOFOLD_HOST: other.socket, TWOFOLD_INSTANCE: name }]);
      table.push([[], { TWOFOLD_HOST: place, TWOFOLD_INSTANCE: name }]);
      table.push(
        [['--instance', 'nobody', '--instance', place], {}],
        [['--host', other.socket, '--instance', place], {}],
      );
    }
    for (const [words, environment] of table) {
      const { code, stdout } = await command(installed.frontAlone, [...words, 'ps'], {
        env: { ...bare, ...environment },
      });
      const meant = meantBy(words, environment);
      const expected = meant === named.socket ? [0, 'named'] : meant === other.socket ? [0, 'other'] : null;
      // A machine may have a default daemon: the front and the CLI both ask it then.
      if (expected === null && meant === socketOf(null)) continue;
      assert.deepEqual(
        [code, stdout],
        expected ?? [77, handedOn([...words, 'ps'])],
        JSON.stringify([words, environment, meant]),
      );
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});

const { TWOFOLD_HOST: _host, TWOFOLD_INSTANCE: _instance, ...bare } = process.env;

/** The socket that the CLI would ask; null where it refuses the words. */
function meantBy(words: readonly string[], environment: NodeJS.ProcessEnv): string | null {
  const { host, instance } = new Command()
    .option('-H, --host <address>')
    .option('--instance <name>')
    .parse(words, { from: 'user' })
    .opts<{ host?: string; instance?: string }>();
  try {
    return socketPathOf(
      { ...(host === undefined ? {} : { host }), ...(instance === undefined ? {} : { instance }) },
      environment,
    );
  } catch (error) {
    assert.ok(isTwofoldError(error, 'invalid-argument'), String(error));
    return null;
  }
}

test('where no daemon answers, the CLI explains', async () => {
  const nobody = join(installed.directory, 'nobody');
  const [front, cli] = await Promise.all([frontAt(nobody, ['ps'], installed.command), cliAt(nobody, ['ps'])]);
  assert.deepEqual(shown(front), shown(cli));
  assert.match(front.stderr, /No daemon answers at .*twofold up/);
  const { code } = await command(installed.command, ['--version'], {
    env: { ...process.env, TWOFOLD_HOST: 'nonsense' },
  });
  assert.equal(code, 0);
});

test('a user without the right to ask the daemon is left to the CLI', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('needs root to become someone else');
  await using daemon = await listener((response) => good(response));
  chmodSync(installed.directory, 0o755);
  chmodSync(daemon.socket, 0o660);
  const result = await command('setpriv', [
    '--reuid=65534',
    '--regid=65534',
    '--clear-groups',
    installed.frontAlone,
    '--host',
    daemon.socket,
    'ps',
  ]);
  assert.deepEqual(shown(result), { code: 77, stdout: handedOn(['--host', daemon.socket, 'ps']), stderr: '' });
});

test('what answers and does not know the way is asked by the CLI instead', async () => {
  const answers: ((response: ServerResponse) => void)[] = [
    (response) => response.writeHead(404, { 'Content-Type': 'application/json' }).end('{"message":"page not found"}'),
    (response) => response.writeHead(404, type).end(frame(4, Buffer.of(0))),
    (response) => response.writeHead(500).end(),
    (response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end('<html>'),
    (response) =>
      response
        .writeHead(200, { 'X-Note': 'Content-Type: application/vnd.twofold.verb-stream' })
        .end(frame(4, Buffer.of(0))),
  ];
  for (const [index, answer] of answers.entries()) {
    await using daemon = await listener(answer);
    assert.deepEqual(
      shown(await frontAt(daemon.socket, ['rm', 'a b'])),
      { code: 77, stdout: handedOn(['rm', 'a b']), stderr: '' },
      String(index),
    );
    assert.equal(daemon.bodies.length, 1);
  }
});

test('a daemon that breaks off is told, and what had come is there', async () => {
  const broke = (socket: string): string =>
    `twofold: Cannot talk to the Twofold daemon at ${socket}: the connection broke.\n`;
  const strange = (socket: string): string => `twofold: The answer from ${socket} is not valid.\n`;
  const table: [answer: (response: ServerResponse) => void, stdout: string, stderr: (socket: string) => string][] = [
    [(response) => response.destroy(), '', broke],
    [(response) => response.writeHead(200, type).end(frame(1, 'half').subarray(0, 10)), 'ha', broke],
    [(response) => response.writeHead(200, type).end(frame(1, 'whole')), 'whole', broke],
    [
      (response) =>
        response.writeHead(200, type).end(Buffer.concat([frame(1, 'whole'), frame(4, Buffer.of(0)).subarray(0, 8)])),
      'whole',
      broke,
    ],
    [(response) => response.writeHead(200, type).end(frame(3, 'x')), '', strange],
    [(response) => response.writeHead(200, type).end(frame(4, 'xx')), '', strange],
    [(response) => response.writeHead(200, type).end(Buffer.from([1, 0, 1, 0, 0, 0, 0, 0])), '', strange],
    [(response) => response.socket!.end(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(200_000)}`), '', strange],
  ];
  for (const [answer, stdout, stderr] of table) {
    await using daemon = await listener(answer);
    assert.deepEqual(shown(await frontAt(daemon.socket, ['ps'])), { code: 1, stdout, stderr: stderr(daemon.socket) });
  }
});

test('an answer in single bytes and one of 20 MB come whole, each stream to its own, with the exit code', async () => {
  const whole = Buffer.concat([
    frame(1, 'out\n'),
    frame(2, 'err\n'),
    frame(1, ''),
    frame(1, 'more\n'),
    frame(4, Buffer.of(213)),
  ]);
  await using slow = await listener((response) => {
    response.writeHead(200, type);
    void (async () => {
      for (const byte of whole) await new Promise<unknown>((resolve) => void response.write(Buffer.of(byte), resolve));
      response.end();
    })();
  });
  assert.deepEqual(shown(await frontAt(slow.socket, ['ps'])), { code: 213, stdout: 'out\nmore\n', stderr: 'err\n' });
  const long = 'x'.repeat(20_000_000);
  await using large = await listener((response) => good(response, long));
  assert.equal((await frontAt(large.socket, ['ps'])).stdout, long);
});

test('a reader that has enough ends it as it ends the CLI', async () => {
  const codes: unknown[] = [];
  for (const [file, words] of [
    [installed.frontAlone, []],
    [process.execPath, [CLI]],
  ] as const) {
    const go = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    await using daemon = await listener((response, request) => {
      asked.resolve();
      void go.promise.then(() => {
        if (request.url === '/twofold/verb') good(response, 'x'.repeat(1_000_000));
        else
          response
            .writeHead(200, { 'Content-Type': 'application/json' })
            .end(JSON.stringify([{ Id: 'x'.repeat(1_000_000) }]));
      });
    });
    const child = spawn(file, [...words, '--host', daemon.socket, 'images', '--format', 'json'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const ended = once(child, 'close');
    await asked.promise;
    child.stdout.destroy();
    go.resolve();
    codes.push(...(await ended));
  }
  assert.deepEqual(codes, [141, null, 141, null]);
});

test('with standard output closed it ends well, and the output goes nowhere', async () => {
  await using daemon = await listener((response) => good(response, 'x'));
  const { code, stderr } = await command('sh', [
    '-c',
    `exec "$0" --host '${daemon.socket}' ps >&-`,
    installed.frontAlone,
  ]);
  assert.deepEqual([code, stderr], [0, '']);
});
