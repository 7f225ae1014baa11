import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isTwofoldError } from '@twofold/contract';
import { canonicalName, familiarName, idPrefix, parseReference, referenceKey, withDefaultTag } from './reference.ts';

const hex = (length: number) =>
  fc
    .array(fc.constantFrom(...'0123456789abcdef'.split('')), { minLength: length, maxLength: length })
    .map((d) => d.join(''));
const component = fc
  .tuple(fc.stringMatching(/^[a-zA-Z0-9]{1,8}$/), fc.constantFrom('', '.a', '_b', '__c', '-d', '---e'))
  .map(([a, b]) => a + b);
const domain = fc.constantFrom(
  '',
  'localhost/',
  'localhost:5000/',
  'Registry.example.com/',
  'registry.example.com:443/',
  '[fd00:1::2]:5000/',
  'docker.io/',
  'index.docker.io/',
);
const reference = fc
  .tuple(
    domain,
    fc.array(component, { minLength: 1, maxLength: 4 }),
    fc.option(fc.stringMatching(/^\w[\w.-]{0,20}$/)),
    fc.option(hex(64)),
  )
  .map(
    ([d, path, tag, digest]) =>
      `${d}${path.join('/')}${tag === null ? '' : `:${tag}`}${digest === null ? '' : `@sha256:${digest}`}`,
  );

test('a familiar name and a full name read back as the same reference', () => {
  fc.assert(
    fc.property(reference, (text) => {
      const parsed = parseReference(text);
      assert.deepEqual(parseReference(familiarName(parsed)), parsed);
      assert.deepEqual(parseReference(canonicalName(parsed)), parsed);
    }),
  );
});

test('case does not tell references apart', () => {
  fc.assert(
    fc.property(reference, (text) => {
      assert.equal(
        referenceKey(parseReference(text.toUpperCase().replace('SHA256', 'sha256'))),
        referenceKey(parseReference(text)),
      );
    }),
  );
});

test('whatever comes, the answer is a reference or invalid-argument', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ maxLength: 40 }), fc.stringMatching(/^[aA0.:@/_-]{0,30}$/)), (text) => {
      try {
        const parsed = parseReference(text);
        assert.equal(referenceKey(parseReference(canonicalName(parsed))), referenceKey(parsed));
      } catch (error) {
        assert.ok(isTwofoldError(error, 'invalid-argument'));
      }
    }),
  );
});

test('names are completed as Docker does it', () => {
  const full = (text: string) => canonicalName(withDefaultTag(parseReference(text)));
  assert.equal(full('NanoServer'), 'docker.io/library/NanoServer:latest');
  assert.equal(full('a/b'), 'docker.io/a/b:latest');
  assert.equal(full('localhost/b:1'), 'localhost/b:1');
  assert.equal(full('host:5000/b'), 'host:5000/b:latest');
  assert.equal(full('index.docker.io/b'), 'docker.io/library/b:latest');
  assert.equal(familiarName(parseReference('docker.io/library/b:x')), 'b:x');
  const digest = `sha256:${'0'.repeat(64)}`;
  assert.equal(full(`b@${digest}`), `docker.io/library/b@${digest}`);
});

test('what Docker refuses is refused', () => {
  for (const text of [
    '',
    ':a',
    'a:',
    'a b',
    '/a',
    'a/',
    'a//b',
    '-a',
    'a-',
    'a:b:c',
    'a@sha256:00',
    `${'a/'.repeat(200)}a`,
    '0'.repeat(64),
    'a:-b',
    `a:${'b'.repeat(129)}`,
    '../a',
    'a/../b',
  ])
    assert.throws(
      () => parseReference(text),
      (error) => isTwofoldError(error, 'invalid-argument') && error.message.startsWith('invalid reference format'),
      text,
    );
});

test('an id is known with and without its algorithm', () => {
  assert.equal(idPrefix('646D6317b02f'), '646d6317b02f');
  assert.equal(idPrefix('sha256:646d'), '646d');
  assert.equal(idPrefix('nanoserver'), null);
  assert.equal(idPrefix(''), null);
});
