// A container is carried from one isolation into the other and back, ten times: each run finds what the run before
// left, and changes it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Isolation } from '@twofold/contract';
import { Twofold } from '@twofold/sdk';
import { entry } from '../layers/archive.ts';
import { daemonForTests } from '../support/daemon.ts';
import { processesNaming } from '../support/processes.ts';
import { until } from '../support/until.ts';

const IMAGE = 'nanoserver';
const patient = { timeoutMs: 240_000 };

const daemon = daemonForTests();

/**
 * Everything that can be seen of the files, from within: kind, mode, owner, size, time, device, target, content, hard
 * links. (Their number is not told: an overlay shows that of a lower layer also when a name of it is deleted above.)
 */
const TELL = `tell() {
  stat -c '/ %a %u:%g %y' /
  for top in /data /srv /home /mnt /tmp /root; do
    find $top 2>/dev/null | sort | while read -r f; do
      case $f in /data/turn) continue;; esac
      n=; c=
      [ -L "$f" ] && n=$(readlink "$f")
      [ -f "$f" ] && [ ! -L "$f" ] && c=$(md5sum < "$f")
      size=%s; [ -d "$f" ] && size=-
      stat -c "$f %f %u:%g $size %y %t:%T $n $c" "$f"
    done
  done
  for d in /data/dir*; do [ $d/hard -ef $d/sub/file ] && echo "$d/hard is $d/sub/file"; done
  ls /bin /sbin /etc /usr | md5sum
}`;

/** What each run does: prints what it finds, works, prints what it leaves. */
const RUN = `${TELL}
t=$(cat /data/turn 2>/dev/null || echo 0); t=$((t+1))
echo "== found $t"; tell
mkdir -p /data; echo $t > /data/turn
mkdir -p /data/dir$t/sub; echo "content of $t" > /data/dir$t/sub/file
[ $t -gt 2 ] && rm -rf /data/dir$((t-2))
[ $t -gt 1 ] && mv /data/dir$((t-1))/sub/file /data/dir$((t-1))/moved
chown $((1000+t)):$((2000+t)) /data/dir$t; chmod $((700+t)) /data/dir$t/sub; chmod 4711 /data/dir$t/sub/file
ln /data/dir$t/sub/file /data/dir$t/hard; ln -s ../nowhere$t /data/dir$t/link; mkfifo -m 640 /data/dir$t/fifo; mknod /data/dir$t/null c 1 3
dd if=/dev/urandom of=/data/dir$t/random bs=1000 count=$((t*10)) 2>/dev/null; truncate -s 5000000 /data/dir$t/random
echo $t >> /data/grows; touch -d '2001-02-03 04:05:06' /data/dir$t/sub
case $t in
  1) rm -r /srv /bin/base64; chmod 1770 /home; rmdir /mnt; echo file > /mnt;;
  2) mkdir /srv; echo again > /srv/new; rm /mnt; mkdir -p /mnt/a/b;;
  3) rm -r /srv /mnt/a; ln -s /data /srv; touch /mnt/c; chmod 711 /; chown 3:4 /;;
  4) rm /srv /mnt/c; mkdir -p /srv/x/y; touch '/data/name with space';;
  5) rm -r /srv/x; echo hidden > /root/.profile; chown 5:5 /root;;
  *) rm -rf /mnt/t*; mkdir /mnt/t$t; touch /mnt/t$t/f;;
esac
echo "== left $t"; tell; echo "== end"`;

const section = (output: string, name: string): string[] =>
  output.split(`== ${name}\n`)[1]!.split('\n==')[0]!.split('\n');

/** Supervisors whose sandbox lies below `runRoot`. */
const supervisorsOf = (runRoot: string): string[] =>
  processesNaming(runRoot).filter((line) => line.includes('twofold-supervisor'));

async function isolationOf(name: string): Promise<string> {
  return daemon.ok(['inspect', '--format', '{{.Twofold.Isolation}}', name]);
}

test(
  'what a container wrote, deleted, and gave other modes and owners is the same after each of ten conversions',
  { timeout: 900_000 },
  async () => {
    await using sdk = new Twofold({ socketPath: daemon.socket });
    await daemon.ok(['create', '--name', 'wanderer', '--isolation=process', IMAGE, 'sh', '-c', RUN]);
    // Extended attributes, which nothing in the image could set.
    const tar = Buffer.concat([
      entry({
        path: 'attributed',
        content: 'x',
        mode: 0o640,
        uid: 12,
        gid: 13,
        mtime: 1_234_567_890,
        pax: { 'SCHILY.xattr.user.kept': 'value\u0001' },
      }),
      Buffer.alloc(1024),
    ]);
    await daemon.ok(['cp', '--archive', '-', 'wanderer:/tmp'], { input: tar });

    let left: string[] | null = null;
    for (let turn = 1; turn <= 11; turn++) {
      const output = await daemon.ok(['start', '--attach', 'wanderer'], patient);
      if (left !== null) assert.deepEqual(section(output, `found ${turn}`), left, `turn ${turn}`);
      left = section(output, `left ${turn}`);
      assert.ok(left.length > 10);
      if (turn === 11) break;
      const to: Isolation = (await isolationOf('wanderer')) === 'process' ? 'hyperv' : 'process';
      const before = turn % 5 === 0 ? await daemon.ok(['diff', 'wanderer'], patient) : null;
      await sdk.containers.convert('wanderer', to);
      assert.equal(await isolationOf('wanderer'), to);
      if (before !== null)
        assert.equal(await daemon.ok(['diff', 'wanderer'], patient), before, 'the list of changes is the same');
    }
    assert.ok((await sdk.containers.inspect('wanderer')).Twofold.SealedLayers.length <= 8);
    const packed = await daemon.docker(['cp', 'wanderer:/tmp/attributed', '-'], patient);
    assert.ok(packed.bytes.includes('SCHILY.xattr.user.kept=value\u0001\n'));
  },
);

test(
  'a conversion is refused while the container runs, says beforehand what it would do, and keeps the container’s name, ids and log',
  { timeout: 300_000 },
  async () => {
    await using sdk = new Twofold({ socketPath: daemon.socket });
    await daemon.ok([
      'run',
      '--detach',
      '--name',
      'staying',
      '--label',
      'a=b',
      '--memory',
      '64m',
      IMAGE,
      'sh',
      '-c',
      'echo from the log; sleep 600',
    ]);
    const identity = () =>
      daemon.ok([
        'inspect',
        '--format',
        '{{.Id}} {{.Name}} {{.Config.Labels.a}} {{.HostConfig.Memory}} {{.Created}}',
        'staying',
      ]);
    const before = await identity();
    await assert.rejects(sdk.containers.convert('staying', 'hyperv'), /running: stop it/);
    const plan = await sdk.containers.convert('staying', 'hyperv', { dryRun: true });
    assert.match(plan.Refusals.join(' '), /running/);
    await daemon.ok(['stop', '--time', '0', 'staying']);
    assert.deepEqual((await sdk.containers.convert('staying', 'hyperv', { dryRun: true })).Refusals, []);
    assert.equal(await isolationOf('staying'), 'process');
    await sdk.containers.convert('staying', 'hyperv');
    assert.equal(await isolationOf('staying'), 'hyperv');
    assert.equal(await identity(), before);
    assert.equal(await daemon.ok(['logs', 'staying']), 'from the log');
  },
);

test(
  'a daemon that is killed in the middle of a conversion loses nothing and leaves nothing',
  { timeout: 600_000 },
  async () => {
    await using sdk = new Twofold({ socketPath: daemon.socket });
    await daemon.ok([
      'create',
      '--name',
      'survivor',
      '--isolation=process',
      IMAGE,
      'sh',
      '-c',
      'n=$(cat /data/* 2>/dev/null | wc -l); mkdir -p /data; echo $n >> /data/runs; cat /data/runs',
    ]);
    const expected: string[] = [];
    for (const killAfterMs of [20, 60, 150, 400, 1_500, 3_000]) {
      expected.push(String(expected.length));
      assert.equal(await daemon.ok(['start', '--attach', 'survivor'], patient), expected.join('\n'));
      const to: Isolation = (await isolationOf('survivor')) === 'process' ? 'hyperv' : 'process';
      const converted = sdk.containers.convert('survivor', to).then(
        () => true,
        () => false,
      );
      await Promise.race([converted, new Promise((resolve) => setTimeout(resolve, killAfterMs))]);
      await daemon.kill('SIGKILL');
      const done = await converted;
      await daemon.start();
      if (done) assert.equal(await isolationOf('survivor'), to);
      await until(
        'what the killed daemon was at has been taken away',
        () => supervisorsOf(daemon.runRoot).length === 0,
      );
    }
  },
);
