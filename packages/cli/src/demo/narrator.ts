// Owns how the demo speaks: numbered chapters, the commands it stands for, and what came of them.

import { paint, print } from '../output.ts';

let chapters = 0;

export function chapter(title: string): void {
  chapters += 1;
  print(`\n${paint('bold', `${chapters}. ${title}`)}`);
}

/** The command that a person would type for what happens next. */
export function command(line: string): void {
  print(paint('dim', `   $ ${line}`));
}

/** Two columns side by side: what each isolation gives. */
export function compare(what: string, process: string, hyperv: string): void {
  print(`   ${what.padEnd(30)} ${process.padEnd(34)} ${hyperv}`);
}

export function say(line: string): void {
  print(`   ${line}`);
}
