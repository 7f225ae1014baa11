import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { repository } from '../places.ts';
import { renderUnit } from './service.ts';

const template = readFileSync(join(repository, 'packaging/systemd/twofold.service'), 'utf8');

test('the unit of named instances differs from the default one by the name alone', () => {
  const [plain, named] = [renderUnit(template, '/lib', 'default'), renderUnit(template, '/lib', 'named')];
  assert.equal(named.replaceAll(/ \(instance %i\)| --instance %i/g, ''), plain);
  assert.match(named, /^ExecStart=.*twofoldd\.mjs" "--lib-root" "\/lib" --instance %i$/m);
  assert.match(named, /^Description=.* \(instance %i\)$/m);
});

test('the unit leaves containers alone when it stops, and starts the installed program', () => {
  const unit = renderUnit(template, '/a b$c%d', 'default');
  assert.match(unit, /^Delegate=yes$/m);
  assert.match(unit, /^KillMode=process$/m);
  assert.match(
    unit,
    /^ExecStart="\/a b\$\$c%%d\/app\/current\/node" .* "\/a b\$\$c%%d\/app\/current\/twofoldd\.mjs" "--lib-root" "\/a b\$\$c%%d"$/m,
  );
  assert.ok(!unit.includes(repository), unit);
  assert.doesNotMatch(unit.replace(/^#.*$/gm, ''), /@[A-Z]+@/);
});
