// Owns a directory tree with one of everything that a layer must keep.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  openSync,
  writeSync,
  closeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

const capability = '0x0100000200040000000000000000000000000000'; // cap_net_bind_service=ep... as the kernel stores it, version 2

/** A file of `size` bytes with data at the given offsets only. */
export function writeSparse(path: string, size: number, offsets: readonly number[]): void {
  const fd = openSync(path, 'w');
  for (const offset of offsets) writeSync(fd, Buffer.from(`here at ${offset}`), 0, undefined, offset);
  closeSync(fd);
  truncateSync(path, size);
}

/** A bound socket's file. */
export async function makeSocket(path: string): Promise<void> {
  const server = createServer();
  server.listen(`${path}~`);
  await once(server, 'listening');
  renameSync(`${path}~`, path); // closing unlinks the name that was bound
  server.close();
  await once(server, 'close');
}

/** Fills `root`. Tar can't carry sockets: they are the private form's alone. */
export function fillTree(root: string): void {
  const at = (name: string) => join(root, name);
  for (const name of ['etc', 'empty', 'deep/er/and/deeper', 'many', 'bytes']) mkdirSync(at(name), { recursive: true });
  writeFileSync(at('etc/passwd'), 'root:x:0:0::/:/bin/sh\n');
  writeFileSync(at('empty file'), '');
  for (const size of [1, 4095, 4096, 4097, 300_000])
    writeFileSync(at(`file of ${size}`), Buffer.alloc(size, 'content '));
  linkSync(at('etc/passwd'), at('deep/er/passwd'));
  linkSync(at('etc/passwd'), at('passwd'));
  symlinkSync('../etc/passwd', at('deep/link'));
  symlinkSync(`/${'long/'.repeat(600)}end`, at('deep/long link'));
  writeSparse(at('sparse'), 40 << 20, [0, 5 << 20, (39 << 20) + 17]);
  writeSparse(at('all hole'), 3 << 20, []);
  for (let i = 0; i < 700; i++)
    writeFileSync(at(`many/a rather long name of a file, so that one block won't do, number ${i}`), '');
  writeFileSync(at(`bytes/${'n'.repeat(255)}`), '255');
  writeFileSync(Buffer.concat([Buffer.from(at('bytes/')), Buffer.from([0xff, 0xfe, 0x0a, 0x22])]), 'no utf-8');
  execFileSync('mkfifo', [at('fifo')]);
  execFileSync('mknod', [at('null'), 'c', '1', '3']);
  execFileSync('mknod', [at('disk'), 'b', '259', '70000']);
  chmodSync(at('empty'), 0o1777);
  writeFileSync(at('setuid'), 'x');
  lchownSync(at('setuid'), 3_000_000_000, 70_000);
  chmodSync(at('setuid'), 0o6755);
  lchownSync(at('deep/link'), 1000, 1000);
  execFileSync('setfattr', ['-n', 'user.colour', '-v', 'blue', at('etc')]);
  execFileSync('setfattr', ['-n', 'user.large', '-v', 'v'.repeat(3000), at('setuid')]);
  execFileSync('setfattr', ['-n', 'security.capability', '-v', capability, at('file of 1')]);
  const times: [string, number][] = [
    ['deep/link', 1.5],
    ['etc', 981_173_106.1234567],
    ['file of 1', -5.25],
    ['empty', 5_000_000_000],
    ['many', 0],
  ];
  for (const [name, seconds] of times) lutimesSync(at(name), seconds, seconds);
}
