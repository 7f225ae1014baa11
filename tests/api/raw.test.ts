import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { stat, unlink, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { type Door, openDoor, openFront } from './door.ts';
import { fakeEngine } from './fake-engine.ts';

async function make(door: Door, config: object, name = 'one'): Promise<void> {
  const made = await door.ask('POST', `/containers/create?name=${name}`, {
    body: JSON.stringify({ Image: 'nanoserver', ...config }),
  });
  assert.equal(made.status, 201, made.body);
}

async function until(holds: () => boolean): Promise<void> {
  const limit = Date.now() + 10_000;
  while (!holds()) {
    assert.ok(Date.now() < limit, 'the condition did not come about');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** What the frames after the head say on stdout. */
function outputOf(received: Buffer): string {
  let at = received.indexOf('\r\n\r\n') + 4;
  let text = '';
  while (at >= 4 && at + 8 <= received.length) {
    const length = received.readUInt32BE(at + 4);
    if (received[at] === 1) text += received.subarray(at + 8, at + 8 + length).toString();
    at += 8 + length;
  }
  return text;
}

const upgrade = (path: string, body = '', extra = '') =>
  `POST ${path} HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${extra}\r\n${body}`;
const message = (body: string) => (JSON.parse(body) as { message: string }).message;

test('ping tells the version, with and without a body', async () => {
  await using door = await openDoor();
  const get = await door.ask('GET', '/_ping');
  assert.deepEqual(
    [
      get.status,
      get.body,
      get.headers['api-version'],
      get.headers['docker-experimental'],
      get.headers['ostype'],
      get.headers['builder-version'],
    ],
    [200, 'OK', '1.47', 'false', 'linux', '1'],
  );
  assert.equal(get.headers['server'], 'Twofold/0.1.0 (linux)');
  const head = await door.ask('HEAD', '/v1.24/_ping');
  assert.deepEqual([head.status, head.body], [200, '']);
});

test("versions that are not spoken are refused in Docker's words, an unknown path is not found", async () => {
  await using door = await openDoor();
  assert.equal(
    message((await door.ask('GET', '/v1.23/info')).body),
    'client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version',
  );
  assert.equal(
    message((await door.ask('GET', '/v1.99/info')).body),
    'client version 1.99 is too new. Maximum supported API version is 1.47',
  );
  assert.equal((await door.ask('GET', '/v1.24/info')).status, 200);
  assert.deepEqual(await door.ask('GET', '/nowhere').then(({ status, body }) => [status, message(body)]), [
    404,
    'page not found',
  ]);
  assert.equal((await door.ask('GET', '/v1.47/containers/%zz/json')).status, 400);
});

test("an error tells its code in a header, beside Docker's body", async () => {
  await using door = await openDoor();
  const code = async (method: string, path: string) => (await door.ask(method, path)).headers['twofold-error'];
  assert.equal(await code('GET', '/containers/nobody/json'), 'container-not-found');
  await make(door, {});
  assert.equal(await code('POST', '/containers/one/stop'), 'already-in-that-state');
  assert.equal(await code('GET', '/_ping'), undefined);
});

test('bodies that are cut, no JSON, of another type, too deep or of the wrong shape are 400 with the reason', async () => {
  await using door = await openDoor();
  const post = (body: string, headers: http.OutgoingHttpHeaders = {}) =>
    door
      .ask('POST', '/containers/create', { body, headers })
      .then((answer) => [answer.status, message(answer.body)] as const);
  assert.match((await post('{"Image":')).join(' '), /^400 invalid JSON/);
  assert.match((await post('{}{}')).join(' '), /^400 invalid JSON/);
  assert.match((await post('')).join(' '), /^400 invalid JSON: got EOF/);
  assert.match((await post('[1]')).join(' '), /^400 /);
  assert.match(
    (await post('{"Image":"x"}', { 'Content-Type': 'text/plain' })).join(' '),
    /^400 unsupported Content-Type header \(text\/plain\)/,
  );
  assert.match((await post('{"Image":"nanoserver","Cmd":7}')).join(' '), /^400 invalid JSON: json: cannot unmarshal/);
  assert.match((await post('{"image":"nanoserver","CMD":"true","labels":null}')).join(' '), /^201 /);
  assert.match((await post(`${'['.repeat(100)}${']'.repeat(100)}`)).join(' '), /^400 invalid JSON: nested too deeply/);
  assert.match((await post('{"__proto__":{"Image":"x"}}')).join(' '), /^400 no image/);
  using raw = await door.dial();
  raw.socket.end(
    'POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"Image":',
  );
  assert.match((await raw.ended()).toString(), /^HTTP\/1.1 400 [\s\S]*cut short/);
  assert.equal((await door.ask('GET', '/_ping')).status, 200);
});

test('a body of 1 GB is refused before it is read, whether its length is told or not', async () => {
  await using door = await openDoor();
  using told = await door.dial();
  told.socket.write(
    'POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 1000000000\r\n\r\n{',
  );
  assert.match((await told.until((bytes) => bytes.includes('MiB'))).toString(), /^HTTP\/1.1 413 /);
  using chunked = await door.dial();
  chunked.socket.write(
    'POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
  );
  const piece = `100000\r\n${'x'.repeat(1 << 20)}\r\n`;
  for (let count = 0; count < 6; count += 1) chunked.socket.write(piece);
  assert.match((await chunked.until((bytes) => bytes.includes('MiB'))).toString(), /^HTTP\/1.1 413 /);
});

test('10,000 header fields are 431, short or long', async () => {
  await using door = await openDoor();
  for (const field of ['a: b\r\n', 'x-long-header-name: and a value\r\n']) {
    using raw = await door.dial();
    raw.socket.write(`GET /_ping HTTP/1.1\r\nHost: d\r\n${field.repeat(10_000)}\r\n`);
    assert.match((await raw.ended()).toString(), /^HTTP\/1.1 431 [\s\S]*"message"/);
  }
  using nonsense = await door.dial();
  nonsense.socket.write('this is no HTTP\r\n\r\n');
  assert.match((await nonsense.ended()).toString(), /^HTTP\/1.1 400 /);
});

test("an upgrade's body is exactly its Content-Length, and what follows is input, however the bytes are cut", async () => {
  await using door = await openDoor();
  await make(door, { Cmd: ['sleep'] });
  await door.ask('POST', '/containers/one/start');
  const body = JSON.stringify({ Detach: false, Tty: false });
  const whole = (id: string) => `${upgrade(`/v1.47/exec/${id}/start`, body)}hello`;
  for (const cut of [0, 40, whole('x'.repeat(64)).indexOf('{') + 5, whole('x'.repeat(64)).length - 3]) {
    const made = await door.ask('POST', '/containers/one/exec', {
      body: JSON.stringify({ AttachStdin: true, AttachStdout: true, Cmd: ['cat'] }),
    });
    const { Id } = JSON.parse(made.body) as { Id: string };
    using raw = await door.dial();
    const bytes = whole(Id);
    if (cut > 0) {
      raw.socket.write(bytes.slice(0, cut));
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    raw.socket.write(bytes.slice(cut));
    const seen = await raw.until((received) => outputOf(received) === 'hello');
    assert.match(
      seen.toString('latin1'),
      /^HTTP\/1.1 101 UPGRADED\r\nContent-Type: application\/vnd.docker.multiplexed-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n/,
    );
    raw.socket.end();
    await raw.ended();
    assert.equal(JSON.parse((await door.ask('GET', `/exec/${Id}/json`)).body).ExitCode, 0);
  }
});

test('bytes piped into a container are never taken for a request', async () => {
  await using door = await openDoor();
  await make(door, { Cmd: ['cat'], OpenStdin: true, StdinOnce: true });
  using raw = await door.dial();
  raw.socket.write(
    `${upgrade('/containers/one/attach?stream=1&stdin=1&stdout=1')}DELETE /containers/one?force=1 HTTP/1.1\r\nHost: d\r\n\r\n`,
  );
  await raw.until((received) => received.includes('101 UPGRADED'));
  await door.ask('POST', '/containers/one/start');
  await raw.until((received) => received.includes('DELETE /containers/one'));
  assert.equal((await door.ask('GET', '/containers/one/json')).status, 200);
});

test("the end of a client's input does not end its output, and the connection ends with the process", async () => {
  await using door = await openDoor();
  await make(door, { Cmd: ['late'], OpenStdin: true, StdinOnce: true });
  using raw = await door.dial();
  raw.socket.write(upgrade('/containers/one/attach?stream=1&stdin=1&stdout=1&stderr=1'));
  await raw.until((received) => received.includes('\r\n\r\n'));
  raw.socket.end('some input');
  await door.ask('POST', '/containers/one/start');
  assert.match((await raw.ended()).toString(), /after the end of input\n$/);
  await until(() => door.fake.held() === 0);
});

test('a client that hangs up in the middle of attach is noticed, even when nothing is said', async () => {
  await using door = await openDoor();
  await make(door, { Cmd: ['sleep'] });
  await door.ask('POST', '/containers/one/start');
  for (const halfClosedFirst of [false, true]) {
    using raw = await door.dial();
    raw.socket.write(upgrade('/containers/one/attach?stream=1&stdout=1'));
    await raw.until((received) => received.includes('\r\n\r\n'));
    await until(() => door.fake.held() === 1);
    if (halfClosedFirst) raw.socket.end();
    raw.socket.destroy();
    await until(() => door.fake.held() === 0);
  }
  assert.equal(JSON.parse((await door.ask('GET', '/containers/one/json')).body).State.Running, true);
});

test('a client that goes on reading after it ended its input is not taken for gone', async () => {
  await using door = await openDoor();
  await make(door, { Cmd: ['sleep'] });
  await door.ask('POST', '/containers/one/start');
  using raw = await door.dial();
  raw.socket.write(upgrade('/containers/one/attach?stream=1&stdout=1'));
  await raw.until((received) => received.includes('\r\n\r\n'));
  raw.socket.end();
  await new Promise((resolve) => setTimeout(resolve, 4_500)); // two of the door's looks whether somebody is still there
  await door.ask('POST', '/containers/one/kill?signal=HUP');
  await raw.until((received) => received.includes('HUP'));
});

test('detach keys let go of a terminal, the process runs on', async () => {
  await using door = await openDoor();
  await make(door, { Cmd: ['cat'], OpenStdin: true, Tty: true });
  await door.ask('POST', '/containers/one/start');
  using raw = await door.dial();
  raw.socket.write(upgrade('/containers/one/attach?stream=1&stdin=1&stdout=1&detachKeys=ctrl-a,x'));
  await raw.until((received) => received.includes('raw-stream'));
  raw.socket.write('a\x01b');
  await raw.until((received) => received.includes('a\x01b'));
  raw.socket.write('\x01');
  raw.socket.write('x');
  await raw.ended();
  await until(() => door.fake.held() === 0);
  assert.equal(JSON.parse((await door.ask('GET', '/containers/one/json')).body).State.Running, true);
  const bad = await door.dial();
  using _bad = bad;
  bad.socket.write(upgrade('/containers/one/attach?stream=1&detachKeys=ctrl-abc'));
  assert.match((await bad.ended()).toString(), /^HTTP\/1.1 400 .*[\s\S]*Invalid detach keys/);
});

test('a slow reader holds the container back, and loses nothing', async () => {
  await using door = await openDoor();
  await make(door, { Cmd: ['flood', '50000000'], Tty: true });
  using raw = await door.dial();
  raw.socket.write(upgrade('/containers/one/attach?stream=1&stdout=1'));
  await raw.until((received) => received.includes('\r\n\r\n'));
  raw.socket.pause();
  await door.ask('POST', '/containers/one/start');
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(JSON.parse((await door.ask('GET', '/containers/one/json')).body).State.Running, true);
  let total = 0;
  raw.socket.removeAllListeners('data');
  raw.socket.on('data', (part: Buffer) => {
    total += part.length;
  });
  raw.socket.resume();
  await raw.ended();
  assert.equal(total, 50_000_000);
});

test('input for a process that has closed it is dropped, and does not hold the client up', async () => {
  await using door = await openDoor();
  await make(door, { Cmd: ['deaf'], OpenStdin: true, StdinOnce: true });
  await door.ask('POST', '/containers/one/start');
  using raw = await door.dial();
  raw.socket.write(upgrade('/containers/one/attach?stream=1&stdin=1&stdout=1'));
  await raw.until((received) => received.includes('\r\n\r\n'));
  await door.ask('POST', '/containers/one/kill?signal=HUP');
  await raw.until((received) => received.includes('HUP'));
});

test('attach with logs replays what was said before', async () => {
  await using door = await openDoor();
  await make(door, { Cmd: ['echo', 'earlier'] });
  await door.ask('POST', '/containers/one/start');
  using raw = await door.dial();
  raw.socket.write(upgrade('/v1.41/containers/one/attach?logs=1&stdout=1&stderr=1'));
  const seen = await raw.ended();
  assert.match(seen.toString('latin1'), /Content-Type: application\/vnd.docker.raw-stream\r\n/);
  assert.equal(outputOf(seen), 'earlier\n');
});

test('without an upgrade output is streamed and input refused', async () => {
  await using door = await openDoor();
  await make(door, { Cmd: ['echo', 'hello'], OpenStdin: true });
  assert.equal((await door.ask('POST', '/containers/one/attach?stream=1&stdin=1&stdout=1')).status, 400);
  const attached = door.ask('POST', '/containers/one/attach?stream=1&stdout=1');
  await until(() => door.fake.held() === 1);
  await door.ask('POST', '/containers/one/start');
  assert.match((await attached).body, /hello\n$/);
  const unknown = await door.dial();
  using _unknown = unknown;
  unknown.socket.write(upgrade('/containers/nobody/attach?stream=1'));
  assert.match((await unknown.ended()).toString(), /^HTTP\/1.1 404 [\s\S]*No such container: nobody/);
});

test('a wait answers its headers at once, and is called off with its client', async () => {
  await using door = await openDoor();
  await make(door, { Cmd: ['sleep'] });
  using raw = await door.dial();
  raw.socket.write('POST /containers/one/wait?condition=next-exit HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n');
  await raw.until((received) => received.includes('200 OK'));
  await door.ask('POST', '/containers/one/start');
  await door.ask('POST', '/containers/one/kill');
  await raw.until((received) => received.includes('{"StatusCode":137}'));
  assert.equal((await door.ask('POST', '/containers/one/wait?condition=sometime')).status, 400);
});

test('states that forbid a verb are 304 and 409, and filters are taken in both forms', async () => {
  await using door = await openDoor();
  await make(door, { Cmd: ['sleep'], Labels: { a: 'b' } });
  assert.equal((await door.ask('POST', '/containers/one/stop')).status, 304);
  assert.equal((await door.ask('POST', '/containers/one/kill')).status, 409);
  assert.equal((await door.ask('POST', '/containers/one/exec', { body: '{"Cmd":["true"]}' })).status, 409);
  for (const filters of [
    '{"status":["created"]}',
    '{"status":{"created":true}}',
    '{"name":["^/?on"],"label":["a=b"]}',
  ]) {
    const { body } = await door.ask('GET', `/containers/json?all=1&filters=${encodeURIComponent(filters)}`);
    assert.equal(JSON.parse(body).length, 1, filters);
  }
  assert.equal((await door.ask('GET', `/containers/json?filters=${encodeURIComponent('{"shoe":["7"]}')}`)).status, 400);
  assert.equal(
    (await door.ask('GET', `/containers/json?filters=${encodeURIComponent('{"name":["(a+)+$"]}')}`)).status,
    400,
  );
  assert.equal((await door.ask('GET', '/containers/json?limit=many')).status, 400);
});

test('a conversion is planned by DryRun, done without it, and refused while the container runs', async () => {
  await using door = await openDoor();
  await make(door, { Cmd: ['sleep'] });
  const update = (body: object) => door.ask('POST', '/containers/one/update', { body: JSON.stringify(body) });
  const isolation = async () =>
    JSON.parse((await door.ask('GET', '/containers/one/json')).body).Twofold.Isolation as string;
  assert.deepEqual(JSON.parse((await update({ Isolation: 'hyperv', DryRun: true })).body).Conversion, {
    From: 'process',
    To: 'hyperv',
    Carries: ['What it wrote.'],
    Changes: [],
    Refusals: [],
    DryRun: true,
  });
  assert.equal(await isolation(), 'process');
  assert.equal((await update({ Isolation: 'HyperV' })).status, 200);
  assert.equal(await isolation(), 'hyperv');
  assert.equal((await update({ Isolation: 'vm' })).status, 400);
  assert.equal((await update({ Isolation: 'process', Memory: 64 << 20 })).status, 400);
  await door.ask('POST', '/containers/one/start');
  assert.equal((await update({ Isolation: 'process' })).status, 409);
  assert.equal((await update({ Memory: 64 << 20 })).status, 200);
  assert.equal(JSON.parse((await door.ask('GET', '/containers/one/json')).body).HostConfig.Memory, 64 << 20);
});

test('the socket is for its group only, a stale one is replaced, a living one is respected', async () => {
  await using door = await openDoor();
  assert.equal((await stat(door.socketPath)).mode & 0o777, 0o660);
  await assert.rejects(door.second(door.socketPath), /Another daemon is listening/);
  const stale = `${door.socketPath}.stale`;
  // A listener that dies without cleaning up leaves its file.
  await promisify(execFile)(process.execPath, [
    '-e',
    `require('net').createServer().listen(${JSON.stringify(stale)}, () => process.kill(process.pid, 'SIGKILL'))`,
  ]).catch(() => undefined);
  assert.ok((await stat(stale)).isSocket());
  await using second = await door.second(stale);
  assert.equal((await stat(second.path)).mode & 0o777, 0o660);
  const plain = `${door.socketPath}.file`;
  await writeFile(plain, '');
  await assert.rejects(door.second(plain), /is not a socket/);
  await unlink(plain);
});

test('a load that fails is answered, and says why in what it streams', async () => {
  await using door = await openDoor();
  const { status, body } = await door.ask('POST', '/images/load');
  assert.equal(status, 200);
  const message = 'The archive is empty or not a tar archive.';
  assert.deepEqual(JSON.parse(body), { errorDetail: { message }, error: message });
  const { code, stderr } = await door.docker(['load'], { input: '' });
  assert.deepEqual([code, stderr.trim()], [1, message]);
});

test('closing ends followers and attached clients', async () => {
  const door = await openDoor();
  await make(door, { Cmd: ['sleep'] });
  await door.ask('POST', '/containers/one/start');
  using events = await door.dial();
  events.socket.write('GET /events HTTP/1.1\r\nHost: d\r\n\r\n');
  await events.until((received) => received.includes('timeNano'));
  using attached = await door.dial();
  attached.socket.write(upgrade('/containers/one/attach?stream=1&stdout=1'));
  await attached.until((received) => received.includes('101'));
  await door[Symbol.asyncDispose]();
  await events.ended();
  await attached.ended();
});

test('events keep their nanoseconds', async () => {
  await using door = await openDoor();
  await make(door, { Cmd: ['sleep'] });
  const { body } = await door.ask('GET', '/events?until=1');
  assert.match(body, /"Type":"container","Action":"create".*"timeNano":\d{13}000007}\n$/);
});

test('a load waits for a client that reads its progress slowly', async () => {
  const { engine } = fakeEngine();
  let taken = false;
  const said = Promise.withResolvers<void>();
  const load: typeof engine.images.load = async (_archive, progress) => {
    const saying = Promise.resolve(progress('x'.repeat(4 << 20))).then(() => (taken = true));
    said.resolve();
    await saying;
    return [];
  };
  await using front = await openFront({ ...engine, images: { ...engine.images, load } });
  using raw = await front.dial();
  raw.socket.pause();
  raw.socket.write('POST /images/load HTTP/1.1\r\nHost: d\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  await said.promise;
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(taken, false);
  raw.socket.resume();
  assert.match((await raw.ended()).subarray(-100).toString(), /Nothing was loaded/);
  assert.equal(taken, true);
});
