// What a process finds around it in a container, as Docker's users know it: kernel settings, files that are provided,
// directories that are mounted. Both isolations.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { command } from '../support/command.ts';
import { startDaemon, type TestDaemon } from '../support/daemon.ts';
import { isolations } from '../support/isolations.ts';

let daemon: TestDaemon;
before(async () => {
  daemon = await startDaemon();
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
});

const IMAGE = 'nanoserver';

for (const isolation of isolations) {
  describe(`inside of a container with --isolation=${isolation}`, () => {
    const lines = async (...words: string[]) =>
      (await daemon.ok(['run', '--rm', `--isolation=${isolation}`, ...words])).split('\n');

    test('an ordinary user serves a low port and may ping; a --sysctl of the caller goes before', async () => {
      const serve =
        'echo served | timeout 30 nc -l -p 80 & until timeout 5 nc 127.0.0.1 80 </dev/null 2>/dev/null | grep served; do kill -0 $! || exit; sleep 0.1; done; cat /proc/sys/net/ipv4/ping_group_range';
      assert.deepEqual(
        (await lines('--user', '1000', '--cap-drop', 'ALL', IMAGE, 'sh', '-c', serve)).map((line) =>
          line.replaceAll(/\s+/g, ' '),
        ),
        ['served', '0 2147483647'],
      );
      assert.deepEqual(
        await lines(
          '--sysctl',
          'net.ipv4.ip_unprivileged_port_start=1000',
          IMAGE,
          'cat',
          '/proc/sys/net/ipv4/ip_unprivileged_port_start',
        ),
        ['1000'],
      );
    });
  });
}

test("the host's network keeps the host's settings", async () => {
  const setting = 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range';
  const here = await daemon.ok(['run', '--rm', '--isolation=process', '--network=host', IMAGE, 'sh', '-c', setting]);
  assert.equal(here, (await command('sh', ['-c', setting])).stdout.trimEnd());
});
