// Owns a small disk of its own under a daemon's data root: an ext4 in a file, by a loop device.

import { truncateSync, writeFileSync, mkdirSync } from 'node:fs';
import { command } from './command.ts';

/** Makes one in `file`, and mounts it at `place`; a daemon under test unmounts that of its data root in the end. */
export async function makeDisk(file: string, place: string, sizeBytes: number): Promise<void> {
  writeFileSync(file, '');
  truncateSync(file, sizeBytes);
  await must('mkfs.ext4', '-q', '-F', '-m', '0', file);
  await mountDisk(file, place);
}

/** The file system writes its journal only when it must: what nobody waits for stays in memory. */
export async function mountDisk(file: string, place: string): Promise<void> {
  mkdirSync(place, { recursive: true });
  await must('mount', '-o', 'loop,commit=300', file, place);
}

/** What a power cut would leave of the disk in `file`: what has been written to it until now. */
export async function copyDisk(file: string, to: string): Promise<void> {
  await must('cp', '--sparse=always', file, to);
}

async function must(file: string, ...words: string[]): Promise<void> {
  const { code, stderr } = await command(file, words);
  if (code !== 0) throw new Error(`${file} ${words.join(' ')}: ${stderr}`);
}
