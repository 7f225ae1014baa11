// What a process finds around it in a container, as Docker's users know it: kernel settings, files that are provided,
// directories that are mounted. Both isolations.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { command } from '../support/command.ts';
import { startDaemon, type TestDaemon } from '../support/daemon.ts';
import { isolations } from '../support/isolations.ts';

const IMAGE = 'nanoserver';

/** By what is to be mounted: how an image leads it elsewhere. */
const astray: Readonly<Record<string, string>> = {
  '/dev': 'rm -rf dev; ln -s /tmp dev',
  '/proc': 'rm -rf proc; ln -s /tmp proc',
  '/etc/hosts': 'mv etc etc.own; ln -s /proc etc',
  '/etc/resolv.conf': 'rm -f etc/resolv.conf; ln -s /dev/core etc/resolv.conf',
};

let daemon: TestDaemon;
before(async () => {
  daemon = await startDaemon();
  const template = await daemon.ok(['create', IMAGE]);
  await daemon.ok(['commit', '--change', 'VOLUME /data/deep', template, 'volume']);
  const root = join(daemon.directory, 'tree');
  const archive = join(daemon.directory, 'tree.tar');
  await daemon.ok(['export', '--output', archive, template]);
  for (const [place, change] of Object.entries(astray)) {
    const script = `rm -rf ${root}; mkdir ${root}; cd ${root}; tar -xf ${archive}; ${change}; tar -cf ${archive}.changed .`;
    const done = await command('sh', ['-ec', script]);
    assert.equal(done.code, 0, done.stderr);
    await daemon.ok(['import', `${archive}.changed`, `astray${place.replaceAll(/[/.]/g, '-')}`]);
  }
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
});

for (const isolation of isolations) {
  describe(`inside of a container with --isolation=${isolation}`, () => {
    const run = (words: readonly string[]) => daemon.docker(['run', '--rm', `--isolation=${isolation}`, ...words]);
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

    test('a read-only root is read-only as a whole, the provided files too; a tmpfs has the mode of what it lies over', async () => {
      const script =
        'for f in /etc/hosts /etc/hostname /etc/resolv.conf; do (echo x >> $f) 2>/dev/null && echo wrote $f; done; stat -c "%a %n" /root /tmp /made /asked';
      const tmpfs = ['/root', '/tmp', '/made', '/asked:mode=700'].flatMap((path) => ['--tmpfs', path]);
      const [plain] = await lines(IMAGE, 'stat', '-c', '%a', '/root');
      assert.deepEqual(await lines('--read-only', ...tmpfs, IMAGE, 'sh', '-c', script), [
        `${plain} /root`,
        '1777 /tmp',
        '1777 /made',
        '700 /asked',
      ]);
      assert.deepEqual(await lines(IMAGE, 'sh', '-c', 'echo 192.0.2.1 own >> /etc/hosts && tail -n 1 /etc/hosts'), [
        '192.0.2.1 own',
      ]);
    });

    test('the directory of a VOLUME is there, as the working directory is; one that is a file is told', async () => {
      assert.deepEqual(
        await lines('--workdir', '/made/here', 'volume', 'sh', '-c', 'pwd; ls -ld /data/deep | cut -c1-10'),
        ['/made/here', 'drwxr-xr-x'],
      );
      const refused = await run(['--workdir', '/etc/passwd', IMAGE, 'true']);
      assert.equal(refused.code, 125, refused.stderr);
      assert.match(refused.stderr, /Cannot mkdir: \/etc\/passwd is not a directory/);
    });

    test('no symbolic link of an image leads what is mounted elsewhere, with any version of the runtime', async () => {
      for (const [place, image] of Object.keys(astray).map((path) => [
        path,
        `astray${path.replaceAll(/[/.]/g, '-')}`,
      ])) {
        const result = await run([image!, 'true']);
        assert.notEqual(result.code, 0, place);
        assert.match(result.stderr, new RegExp(`symbolic link on the way to ${place}`));
      }
    });
  });
}

test("the host's network keeps the host's settings", async () => {
  const setting = 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range';
  const here = await daemon.ok(['run', '--rm', '--isolation=process', '--network=host', IMAGE, 'sh', '-c', setting]);
  assert.equal(here, (await command('sh', ['-c', setting])).stdout.trimEnd());
});
