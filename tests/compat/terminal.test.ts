// A person at a terminal: docker run -it, exec -it, attach, with sizes, Ctrl+C and detach keys, under both isolations.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { daemonForTests } from '../support/daemon.ts';
import { isolations } from '../support/isolations.ts';
import { Terminal } from '../support/terminal.ts';
import { until } from '../support/until.ts';

const daemon = daemonForTests();

const IMAGE = 'nanoserver';

for (const isolation of isolations) {
  describe(`a terminal on a container with ${isolation} isolation`, () => {
    test("has the size of the person's, also after it has changed", async () => {
      await using terminal = await Terminal.open(daemon.env, { columns: 91, rows: 27 });
      await terminal.type(`docker run --rm -it --isolation=${isolation} ${IMAGE} sh`);
      await terminal.see(/# ?$/m);
      await terminal.type('stty size');
      await terminal.see(/^27 91$/m);
      await terminal.resize({ columns: 77, rows: 33 });
      await until(
        'the new size arrives',
        async () => {
          await terminal.type('stty size');
          return /^33 77$/m.test(await terminal.screen());
        },
        { everyMs: 300 },
      );
      await terminal.type('exit 7');
      await terminal.see(/host\$ *$/);
      await terminal.type('echo code=$?');
      await terminal.see(/code=7/);
    });

    test('interrupts what runs inside with Ctrl+C, and only that', async () => {
      await using terminal = await Terminal.open(daemon.env);
      const name = `interrupted-${isolation}`;
      await terminal.type(`docker run --rm -it --name ${name} --isolation=${isolation} ${IMAGE} sh`);
      await terminal.see(/# ?$/m);
      await terminal.type('sleep 600');
      // Until it runs the shell is in the foreground, and a shell throws an interrupt away.
      await until('the command runs', async () => (await daemon.ok(['top', name])).includes('sleep 600'));
      await terminal.key('C-c');
      await terminal.see(/# ?$/);
      await terminal.type('echo code=$?');
      await terminal.see(/code=130/);
      await terminal.type('exit');
      await terminal.see(/host\$ *$/);
    });

    test('is let go by the detach keys, and taken up again by attach', async () => {
      await using terminal = await Terminal.open(daemon.env);
      const name = `detached-${isolation}`;
      await terminal.type(`docker run -it --name ${name} --isolation=${isolation} ${IMAGE} sh`);
      await terminal.see(/# ?$/m);
      await terminal.key('C-p', 'C-q');
      await terminal.see(/host\$ *$/);
      assert.equal(await daemon.ok(['inspect', '--format', '{{.State.Running}}', name]), 'true');
      await terminal.type(`docker attach ${name}`);
      await terminal.type('echo I am $((40 + 2))');
      await terminal.see(/I am 42/);
      await terminal.type('exit');
      await until(
        'it has ended',
        async () => (await daemon.ok(['inspect', '--format', '{{.State.Running}}', name])) === 'false',
      );
      await daemon.ok(['rm', name]);
    });

    test('serves exec -it beside the main process', async () => {
      await using terminal = await Terminal.open(daemon.env);
      const name = `exec-${isolation}`;
      await daemon.ok(['run', '--detach', '--name', name, `--isolation=${isolation}`, IMAGE, 'sleep', '600']);
      await terminal.type(`docker exec -it -e MOOD=good -w /tmp ${name} sh`);
      await terminal.see(/# ?$/m);
      await terminal.type('echo $MOOD $(pwd) $(tty)');
      await terminal.see(/good \/tmp \/dev\/pts\/\d+/);
      await terminal.type('exit 5');
      await terminal.see(/host\$ *$/);
      await terminal.type('echo code=$?');
      await terminal.see(/code=5/);
      await daemon.ok(['rm', '--force', name]);
    });
  });
}
