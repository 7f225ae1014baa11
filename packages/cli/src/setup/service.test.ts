import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { repository } from '../places.ts';
import { renderUnit } from './service.ts';

test('the unit leaves containers alone when it stops, and starts the installed program', () => {
  const unit = renderUnit(readFileSync(join(repository, 'packaging/systemd/twofold.service'), 'utf8'), '/a b$c%d');
  assert.match(unit, /^Delegate=yes$/m);
  assert.match(unit, /^KillMode=process$/m);
  assert.match(
    unit,
    /^ExecStart="\/a b\$\$c%%d\/app\/current\/node" .* "\/a b\$\$c%%d\/app\/current\/twofoldd\.mjs" "--lib-root" "\/a b\$\$c%%d"$/m,
  );
  assert.ok(!unit.includes(repository), unit);
  assert.doesNotMatch(unit.replace(/^#.*$/gm, ''), /@[A-Z]+@/);
});
