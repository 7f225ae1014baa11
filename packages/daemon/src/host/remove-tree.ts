// Owns taking a directory away with all that is in it, whatever a privileged container has made there.

import { rm } from 'node:fs/promises';
import { runCommand } from './command.ts';

export async function removeTree(directory: string): Promise<void> {
  const remove = () => rm(directory, { recursive: true, force: true, maxRetries: 3, retryDelay: 50 });
  try {
    await remove();
  } catch {
    // Files that even root may not remove: immutable or append-only (Node tells of it as EPERM, or as ENOTDIR).
    await runCommand('make files removable', ['chattr', '-R', '-f', '-ia', directory], { accept: [0, 1] });
    await remove();
  }
}
