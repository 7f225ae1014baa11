import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { repository } from '../places.ts';
import { renderUnit } from './service.ts';

test('the unit leaves containers alone when it stops, and starts this checkout', () => {
  const unit = renderUnit(readFileSync(join(repository, 'packaging/systemd/twofold.service'), 'utf8'), [
    '--lib-root',
    '/a b$c%d',
  ]);
  assert.match(unit, /^Delegate=yes$/m);
  assert.match(unit, /^KillMode=process$/m);
  assert.match(unit, /^ExecStart=".*node" .*main\.ts" "--lib-root" "\/a b\$\$c%%d"$/m);
  assert.doesNotMatch(unit.replace(/^#.*$/gm, ''), /@[A-Z]+@/);
});
