// Owns the users that utility VMs' workers run as: a user id out of the range that nobody else has, with a record that
// gives it the container's GUID as its name. The records are those of systemd's user database (JSON in /run/userdb,
// read by libnss-systemd), gone after a reboot. A record is also the claim on its id: it is made exclusively, so that
// two daemons never take the same.

import { mkdir, open, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TwofoldError } from '@twofold/contract';
import { runCommand } from './command.ts';

const directory = '/run/userdb';

export interface WorkerUser {
  readonly uid: number;
  readonly name: string;
}

/**
 * Ids that processes had when they were last looked at: at first, and when the range has been gone through. Until then
 * each id is given out once.
 */
let busy: Set<number> | null = null;
let given = 0;
let start = 0;

/**
 * Claims a free id of the range for `name` (32 hexadecimal digits). Workers own no files, so an id without a process is
 * free.
 */
export async function claimWorkerUser(name: string, range: { first: number; last: number }): Promise<WorkerUser> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const size = range.last - range.first + 1;
  for (const again of [false, true]) {
    if (again || busy === null) {
      busy = await userIdsOfProcesses();
      given = 0;
      start = Math.floor(Math.random() * size);
    }
    while (given < size) {
      const uid = range.first + ((start + given++) % size);
      if (!busy.has(uid) && (await claim(uid, name))) return { uid, name };
    }
  }
  throw new TwofoldError('conflict', "Every user id of the workers' range is taken: widen it, or remove containers.");
}

/** False when another one has it. */
async function claim(uid: number, name: string): Promise<boolean> {
  const record = await open(join(directory, `${uid}.user`), 'wx', 0o644).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST')
      throw new TwofoldError('internal', "Could not make a user for the VM's worker.", { cause: error });
    return null;
  });
  if (record === null) return false;
  try {
    await record.close();
    await writeRecords(name, uid);
    return true;
  } catch (error) {
    await releaseWorkerUser({ uid, name });
    throw new TwofoldError('internal', "Could not make a user for the VM's worker.", { cause: error });
  }
}

/** The same id under another name. What is cut short here, releaseWorkerUser of either takes away. */
export async function renameWorkerUser(user: WorkerUser, name: string): Promise<WorkerUser> {
  await Promise.all(
    [`${user.name}.user`, `${user.name}.group`].map((file) => rm(join(directory, file), { force: true })),
  );
  await writeRecords(name, user.uid);
  return { uid: user.uid, name };
}

/** Gives the id back. Idempotent. The worker must be gone. */
export async function releaseWorkerUser({ uid, name }: WorkerUser): Promise<void> {
  await Promise.all(
    [`${name}.user`, `${name}.group`, `${uid}.group`].map((file) => rm(join(directory, file), { force: true })),
  );
  await rm(join(directory, `${uid}.user`), { force: true }); // the claim
}

/** Names of users as the running system has them; a missing one is its number. */
export async function userNames(uids: readonly number[]): Promise<Map<number, string>> {
  const names = new Map(uids.map((uid) => [uid, String(uid)]));
  if (uids.length === 0) return names;
  const found = await runCommand("look up the workers' users", ['getent', 'passwd', ...new Set(uids.map(String))], {
    accept: [0, 2],
  });
  for (const line of found.stdout.toString('utf8').split('\n')) {
    const [name, , uid] = line.split(':');
    if (uid !== undefined) names.set(Number(uid), name!);
  }
  return names;
}

const writeRecords = (name: string, uid: number): Promise<unknown> =>
  Promise.all([writeUser(name, uid), writeGroup(name, uid)]);

async function writeUser(name: string, uid: number): Promise<void> {
  const record = {
    userName: name,
    uid,
    gid: uid,
    realName: 'Twofold utility VM',
    homeDirectory: '/',
    shell: '/usr/sbin/nologin',
    disposition: 'dynamic',
  };
  await writeFile(join(directory, `${uid}.user`), `${JSON.stringify(record)}\n`, { mode: 0o644 });
  await rm(join(directory, `${name}.user`), { force: true });
  await symlink(`${uid}.user`, join(directory, `${name}.user`));
}

async function writeGroup(name: string, gid: number): Promise<void> {
  const file = await open(join(directory, `${gid}.group`), 'w', 0o644);
  await file.writeFile(`${JSON.stringify({ groupName: name, gid, disposition: 'dynamic' })}\n`);
  await file.close();
  await rm(join(directory, `${name}.group`), { force: true });
  await symlink(`${gid}.group`, join(directory, `${name}.group`));
}

async function userIdsOfProcesses(): Promise<Set<number>> {
  const found = new Set<number>();
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    for (const uid of /^Uid:\s+(.*)$/m.exec(status)?.[1]?.split(/\s+/) ?? []) found.add(Number(uid));
  }
  return found;
}
