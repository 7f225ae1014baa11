import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode, encode, type RecordType } from 'dns-packet';
import fc from 'fast-check';
import { parseAddress, parseSubnet } from './addresses.ts';
import { failure, joinDirectories, judgeQuery, makeDirectory } from './names.ts';
import { nameServersOf } from './upstream.ts';

const subnet = parseSubnet('10.88.0.0/16')!;
const id = '0123456789abcdef'.repeat(4);
const directory = makeDirectory([
  { container: id, address: parseAddress('10.88.0.2')!, names: ['Web', 'www'] },
  { container: 'f'.repeat(64), address: parseAddress('10.88.0.3')!, names: ['web'] },
]);

function ask(type: RecordType, name: string) {
  const verdict = judgeQuery(
    Buffer.from(encode({ type: 'query', id: 7, flags: 0x100, questions: [{ type, name }] })),
    directory,
    subnet,
  );
  return verdict.kind === 'answer'
    ? { ...decode(verdict.packet), code: (decode(verdict.packet).flags ?? 0) & 15 }
    : verdict.kind;
}

test('a container is found by its name in any case, by an alias and by its short id', () => {
  for (const name of ['web', 'WEB', 'www', id.slice(0, 12)]) {
    const answer = ask('A', name);
    assert.ok(typeof answer !== 'string');
    assert.equal(answer.id, 7);
    assert.deepEqual(
      answer.answers?.map((a) => 'data' in a && a.data),
      ['10.88.0.2'],
      name,
    );
  }
});

test('a known name has an empty answer for other types, not a failure', () => {
  const answer = ask('AAAA', 'web');
  assert.ok(typeof answer !== 'string');
  assert.equal(answer.code, 0);
  assert.equal(answer.answers?.length, 0);
});

test('a container on several switches is told the names of all of them, its own switch first', () => {
  const other = makeDirectory([
    { container: 'e'.repeat(64), address: parseAddress('10.89.0.9')!, names: ['web', 'far'] },
  ]);
  const joined = joinDirectories([directory, other]);
  assert.deepEqual(
    ['web', 'far', 'nobody'].map((name) => joined.addressOf(name)),
    [parseAddress('10.88.0.2'), parseAddress('10.89.0.9'), null],
  );
  const back = judgeQuery(
    Buffer.from(encode({ type: 'query', id: 7, questions: [{ type: 'PTR', name: '9.0.89.10.in-addr.arpa' }] })),
    joined,
    subnet,
  );
  assert.ok(back.kind === 'answer');
  assert.deepEqual(
    decode(back.packet).answers?.map((a) => 'data' in a && a.data),
    ['web'],
  );
  assert.equal(joined.containerAt(parseAddress('10.89.0.9')!), 'e'.repeat(64));
});

test('an address of the switch leads back to a name, a free one to nothing', () => {
  const known = ask('PTR', '2.0.88.10.in-addr.arpa');
  assert.ok(typeof known !== 'string');
  assert.deepEqual(
    known.answers?.map((a) => 'data' in a && a.data),
    ['Web'],
  );
  const free = ask('PTR', '9.0.88.10.in-addr.arpa');
  assert.ok(typeof free !== 'string');
  assert.equal(free.code, 3);
});

test('what the switch does not know goes on to the host', () => {
  assert.equal(ask('A', 'example.org'), 'forward');
  assert.equal(ask('PTR', '1.1.1.1.in-addr.arpa'), 'forward');
});

test('any bytes at all are answered, forwarded or dropped, never thrown at', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      judgeQuery(Buffer.from(bytes), directory, subnet);
      failure(Buffer.from(bytes));
    }),
    { numRuns: 2_000 },
  );
  // A header that promises one question, and then noise: the decoder's own ground.
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      judgeQuery(Buffer.concat([Buffer.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]), bytes]), directory, subnet);
    }),
    { numRuns: 2_000 },
  );
});

test('responses are not answered: two servers cannot be set upon each other', () => {
  const response = Buffer.from(encode({ type: 'response', id: 7, questions: [{ type: 'A', name: 'web' }] }));
  assert.equal(judgeQuery(response, directory, subnet).kind, 'drop');
  assert.equal(failure(response), null);
});

test('name servers come from resolv.conf, at most three', () => {
  assert.deepEqual(
    nameServersOf(
      '# nameserver 9.9.9.9\nsearch x\nnameserver 127.0.0.53\n nameserver fe80::1%eth0\nnameserver bad\nnameserver 1.1.1.1\nnameserver 8.8.8.8\n',
    ),
    ['127.0.0.53', 'fe80::1', '1.1.1.1'],
  );
});
