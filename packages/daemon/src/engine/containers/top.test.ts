import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isTwofoldError } from '@twofold/contract';
import type { RawProcess } from '../../drivers/driver.ts';
import { bootTimeMs, renderTop } from './top.ts';
import { parseNames } from './user-names.ts';

const boot = new Date(2026, 10, 23, 10, 0, 0).getTime();
const context = {
  bootMs: boot,
  nowMs: boot + 3_600_000,
  memoryBytes: 1 << 30,
  userName: (uid: number) => (uid === 0 ? 'root' : undefined),
  groupName: () => undefined,
};

function raw(
  pid: number,
  over: { comm?: string; uid?: number; cmdline?: string[]; ticks?: number; start?: number; tty?: number } = {},
): RawProcess {
  return {
    pid,
    stat: `${pid} (${over.comm ?? 'sleep'}) S 1 ${pid} ${pid} ${over.tty ?? 0} -1 4194304 101 0 0 0 ${over.ticks ?? 0} 0 0 0 20 0 1 0 ${over.start ?? 60_000} 8388608 256 18446744073709551615 0 0`,
    status: `Name:\tsleep\nUid:\t${over.uid ?? 0}\t${over.uid ?? 0}\t0\t0\nGid:\t0\t0\t0\t0\n`,
    cmdline: over.cmdline ?? ['sleep', '60'],
  };
}

describe('top', () => {
  it('looks as ps -ef does when nothing is said', () => {
    const { titles, processes } = renderTop(
      [raw(9, { uid: 1000, tty: 0x8801, ticks: 6150 }), raw(2, { cmdline: [], comm: 'a) (b' })],
      '',
      context,
    );
    assert.deepEqual(titles, ['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD']);
    assert.deepEqual(processes, [
      ['root', '2', '1', '0', '10:10', '?', '00:00:00', '[a) (b]'],
      ['1000', '9', '1', '2', '10:10', 'pts/1', '00:01:01', 'sleep 60'],
    ]);
    assert.deepEqual(renderTop([raw(2)], '-ef', context), renderTop([raw(2)], '-e -f', context));
  });

  it('knows aux and columns by name', () => {
    assert.deepEqual(renderTop([raw(2)], 'aux', context), {
      titles: ['USER', 'PID', '%CPU', '%MEM', 'VSZ', 'RSS', 'TTY', 'STAT', 'START', 'TIME', 'COMMAND'],
      processes: [['root', '2', '0.0', '0.1', '8192', '1024', '?', 'Ss', '10:10', '0:00', 'sleep 60']],
    });
    for (const words of [
      '-o pid,comm',
      '-eo pid,comm',
      'o pid,comm',
      '-opid,comm',
      '-o pid -o comm',
      'axo pid,comm',
      '--format pid,comm',
    ]) {
      assert.deepEqual(
        renderTop([raw(2)], words, context),
        { titles: ['PID', 'COMMAND'], processes: [['2', 'sleep']] },
        words,
      );
    }
    assert.deepEqual(renderTop([raw(2)], '-o pid=ID,etime,uid', context), {
      titles: ['ID', 'ELAPSED', 'UID'],
      processes: [['2', '50:00', '0']],
    });
  });

  it('names what it does not know', () => {
    for (const [words, named] of [
      ['-Z', '-Z'],
      ['--forest', '--forest'],
      ['-o pid,wchan', 'wchan'],
      ['-o comm', 'PID field'],
      ['-o', '-o'],
    ] as const) {
      assert.throws(
        () => renderTop([], words, context),
        (error) => isTwofoldError(error, 'invalid-argument') && error.message.includes(named),
        words,
      );
    }
  });

  it('lets nothing of a process command the terminal, and bears any text of a guest', () => {
    assert.equal(
      renderTop([raw(2, { cmdline: ['\x1b[2J', 'a\nb'] })], '-o pid,cmd', context).processes[0]![1],
      '?[2J a?b',
    );
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.array(fc.string()), (stat, status, cmdline) => {
        renderTop([{ pid: 1, stat, status, cmdline }], 'aux', context);
      }),
    );
  });

  it('finds the boot of a guest by a process whose start is known', () => {
    assert.equal(bootTimeMs([raw(5, { start: 200 })], { pid: 5, startedAt: 1_000_000 }), 998_000);
    assert.equal(bootTimeMs([], { pid: 5, startedAt: 1_000_000 }), null);
  });

  it('reads names as /etc/passwd has them', () => {
    assert.deepEqual(
      [...parseNames('root:x:0:0:root:/root:/bin/sh\n\nbroken\ntoor:x:0:\nuser:x:1000:1000::/:\n')],
      [
        [0, 'root'],
        [1000, 'user'],
      ],
    );
  });
});
