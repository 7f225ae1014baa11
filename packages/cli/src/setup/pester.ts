// Owns Pester, in which tests of the module are written: out of its NuGet package, where PowerShell is.

import { cp, mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runDotnet } from './powershell/dotnet.ts';

export const pesterVersion = '6.2.0';
const restoreTimeoutMs = 300_000;

/** The module's directory, below that of the tests' tools. */
export const pesterDirectory = (tools: string): string => join(tools, 'Pester', pesterVersion);

export const isPesterThere = (tools: string): Promise<boolean> =>
  stat(join(pesterDirectory(tools), 'Pester.psd1')).then(
    () => true,
    () => false,
  );

export async function fetchPester(tools: string, signal: AbortSignal): Promise<void> {
  await using undo = new AsyncDisposableStack();
  const work = await mkdtemp(join(tmpdir(), 'twofold-pester-'));
  undo.defer(() => rm(work, { recursive: true, force: true }));
  const project = join(work, 'pester.csproj');
  await writeFile(project, projectText);
  await runDotnet('fetch Pester', ['restore', project, '--packages', join(work, 'packages')], {
    timeoutMs: restoreTimeoutMs,
    signal,
  });
  const target = pesterDirectory(tools);
  await mkdir(join(tools, 'Pester'), { recursive: true });
  await rm(`${target}.new`, { recursive: true, force: true });
  await cp(join(work, 'packages', 'pester', pesterVersion, 'tools'), `${target}.new`, { recursive: true });
  await rename(`${target}.new`, target);
}

const projectText = `<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <TargetFramework>net10.0</TargetFramework>
    <NuGetAudit>false</NuGetAudit>
  </PropertyGroup>
  <ItemGroup>
    <PackageDownload Include="Pester" Version="[${pesterVersion}]" />
  </ItemGroup>
</Project>
`;
