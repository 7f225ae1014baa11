// Owns the socket file: who may use it, a stale one is replaced, a live one is respected. Does not own what is said on
// it.

import { chmod, chown, lstat, mkdir, readFile, unlink } from 'node:fs/promises';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { TwofoldError } from '@twofold/contract';
import type { Logger } from 'pino';

/**
 * Listens with mode 0660 and the group, where it exists (root's otherwise). Throws `conflict` when somebody answers
 * there already.
 */
export async function listenOnSocket(server: Server, path: string, group: string, log: Logger): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  await removeStale(path);
  const gid = await groupId(group);
  if (gid === null) log.warn({ group }, 'The group of the socket does not exist: only root can use it.');
  // The file must never be open to more than it should, not even for the moment between bind and chmod.
  const umask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, () => {
        server.off('error', reject);
        resolve();
      });
      process.umask(umask); // bind happens inside listen(), before it returns
    });
  } catch (cause) {
    throw new TwofoldError('conflict', `Could not listen on ${path}.`, { cause });
  } finally {
    process.umask(umask);
  }
  if (process.getuid?.() === 0) await chown(path, 0, gid ?? 0);
  await chmod(path, 0o660);
}

async function removeStale(path: string): Promise<void> {
  const stat = await lstat(path).catch(() => null);
  if (stat === null) return;
  if (!stat.isSocket())
    throw new TwofoldError('conflict', `${path} exists and is not a socket; remove it or choose another path.`);
  const alive = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    });
    probe.on('error', () => resolve(false));
  });
  if (alive) throw new TwofoldError('conflict', `Another daemon is listening on ${path}.`);
  await unlink(path);
}

async function groupId(name: string): Promise<number | null> {
  const groups = await readFile('/etc/group', 'utf8').catch(() => '');
  const line = groups.split('\n').find((one) => one.startsWith(`${name}:`));
  const gid = Number(line?.split(':')[2]);
  return line === undefined || !Number.isInteger(gid) ? null : gid;
}
