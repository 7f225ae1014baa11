// Owns the picture of the walkthrough: types its lines at a real prompt, against a daemon of its own, and writes what
// the terminal shows then as docs/walkthrough.svg. It fails where a line prints an error.
//
//   npm run picture            needs what the tests need, and PowerShell

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startDaemon } from '../../tests/support/daemon.ts';
import { noPowerShell } from '../../tests/support/powershell.ts';
import { Prompt } from '../../tests/support/powershell-prompt.ts';
import { readScreen, textOf } from './screen.ts';
import { drawScreen } from './svg.ts';

const target = join(import.meta.dirname, '../../docs/walkthrough.svg');
const lineTimeoutMs = 120_000;

/** As docs/walkthrough.md has them; the last but one looks for ours, as others on the machine may have a csrss, too. */
const lines = [
  '$con = New-Container -Name DEMO -ContainerImageName nanoserver -SwitchName NAT',
  'Get-Container | Select ContainerName, RuntimeType',
  'Set-Container $con -RuntimeType HyperV',
  'Get-Container | select ContainerName, RuntimeType',
  'Start-Container $con',
  'Get-ComputeProcess',
  '$con = New-Container -Name WINCONT -ContainerImageName WindowsServerCore -SwitchName "Virtual Switch"',
  'Start-Container $con',
  'Enter-PSSession -ContainerId $con.ContainerId –RunAsAdministrator',
  "get-process | where {$_.ProcessName -eq 'csrss'}",
  'exit',
  'get-process csrss | where ContainerName -eq WINCONT | select Id, ContainerName, ContainerProcessId',
  'Get-Container',
];

if (noPowerShell !== false) throw new Error(noPowerShell);
await using daemon = await startDaemon();
await using prompt = await Prompt.open(
  { ...daemon.env, NO_COLOR: undefined, TWOFOLD_HOST: `unix://${daemon.socket}` },
  { columns: 120 },
);
await prompt.enter('cd /root');
for (const line of lines) {
  process.stdout.write(`${line}\n`);
  const printed = await prompt.enter(line, lineTimeoutMs);
  if (/^[\w-]+: /m.test(printed)) throw new Error(`"${line}" printed an error:\n${printed}`);
}
const screen = readScreen(await prompt.captured());
const from = textOf(screen).findIndex((text) => text.includes(lines[0]!));
await writeFile(target, drawScreen(screen.slice(from), { columns: 120, title: 'PowerShell on Linux: two isolations' }));
process.stdout.write(`Written: ${target}\n`);
