// Owns the names of users and groups for `docker top`: the host's for processes on the host, none but root's for those
// in a utility VM, whose numbers mean nothing on the host.

import { readFile } from 'node:fs/promises';
import type { Isolation } from '@twofold/contract';

export interface Names {
  userName(uid: number): string | undefined;
  groupName(gid: number): string | undefined;
}

/** Reads /etc/passwd and /etc/group anew: they are short and may change. */
export async function namesFor(isolation: Isolation, directory = '/etc'): Promise<Names> {
  const onlyRoot = (id: number) => (id === 0 ? 'root' : undefined);
  if (isolation === 'hyperv') return { userName: onlyRoot, groupName: onlyRoot };
  const [users, groups] = await Promise.all(
    ['passwd', 'group'].map((name) =>
      readFile(`${directory}/${name}`, 'utf8').then(parseNames, () => new Map<number, string>()),
    ),
  );
  return { userName: (uid) => users!.get(uid), groupName: (gid) => groups!.get(gid) };
}

/** `name:x:number:…` lines, as both files have them; the first name of a number counts. */
export function parseNames(text: string): Map<number, string> {
  const names = new Map<number, string>();
  for (const line of text.split('\n')) {
    const [name, , number] = line.split(':');
    if (name && number !== undefined && /^\d+$/.test(number) && !names.has(Number(number)))
      names.set(Number(number), name);
  }
  return names;
}
