import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchesReference } from './handlers/images.ts';
import { familiar, joinReference } from './references.ts';
import { compilePattern, matchPattern } from './router.ts';
import { findRoute, findUpgradeRoute } from './routes.ts';

test('an image name may have slashes, a container name may not', () => {
  assert.deepEqual(matchPattern(compilePattern('/images/{name:.*}/json'), '/images/a/b%2Fc:d/json'), {
    name: 'a/b/c:d',
  });
  assert.equal(matchPattern(compilePattern('/containers/{name}/json'), '/containers/a/b/json'), null);
  assert.equal(findRoute('GET', '/images/json')?.parameters['name'], undefined);
  assert.equal(findRoute('GET', '/images/a/b/history')?.parameters['name'], 'a/b');
});

test('only attach and exec start take over a connection', () => {
  assert.ok(findUpgradeRoute('POST', '/containers/x/attach') !== null);
  assert.ok(findUpgradeRoute('POST', '/exec/x/start') !== null);
  assert.equal(findUpgradeRoute('GET', '/containers/x/attach'), null);
  assert.equal(findUpgradeRoute('POST', '/session'), null);
});

test('names come in as docker writes them and go on as people do', () => {
  assert.equal(familiar('docker.io/library/x:y'), 'x:y');
  assert.equal(joinReference('docker.io/me/x', 'y'), 'me/x:y');
  assert.equal(joinReference('x', 'sha256:ab'), 'x@sha256:ab');
  assert.equal(joinReference(undefined, 'y'), null);
});

test('reference filters know wildcards, and take the tag as given or any', () => {
  assert.ok(matchesReference('NanoServer:latest', 'nanoserver'));
  assert.ok(matchesReference('a/b:1', 'a/*'));
  assert.ok(matchesReference('a/b:1', 'a/b:?'));
  assert.ok(!matchesReference('a/b:1', '*'));
  assert.ok(!matchesReference('ab:1', 'a.'));
});
