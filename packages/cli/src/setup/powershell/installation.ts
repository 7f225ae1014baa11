// Owns the engine's own PowerShell: the .NET tool of that name, compiled ahead for this kind of machine, beside the
// runtime that it needs. One tree that depends on nothing else, for the host, and for containers (image.ts):
//
//   pwsh/     the package's files for Unix, with a program that finds its runtime beside it
//   host/     of .NET, what looks for the runtime
//   shared/   the runtime

import { chmod, copyFile, cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { TwofoldError } from '@twofold/contract';
import { runDotnet, type Runtime } from './dotnet.ts';

export const packageVersion = '7.6.9';
/** Of a tree. */
export const programPath = join('pwsh', 'pwsh');

/** What a session and a prompt load, relative to `pwsh/`. The package has them as intermediate code only. */
const compiledAhead = [
  'System.Management.Automation.dll',
  'Microsoft.PowerShell.ConsoleHost.dll',
  'Microsoft.PowerShell.Commands.Management.dll',
  'Microsoft.PowerShell.Commands.Utility.dll',
  'Microsoft.PowerShell.Security.dll',
  'Newtonsoft.Json.dll',
  'Modules/PSReadLine/Microsoft.PowerShell.PSReadLine.dll',
  'Modules/Microsoft.PowerShell.ThreadJob/Microsoft.PowerShell.ThreadJob.dll',
] as const;
const installTimeoutMs = 300_000;
const compileTimeoutMs = 300_000;

export interface InstallationOptions {
  readonly runtime: Runtime;
  /** A directory that is there for this; what is in it is of no further use. */
  readonly work: string;
  readonly progress: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Makes the tree `target`, which must not be there. */
export async function makeInstallation(target: string, options: InstallationOptions): Promise<void> {
  const { runtime, progress } = options;
  progress(`dotnet tool install PowerShell ${packageVersion}`);
  const given = await installTool(options);
  const pwsh = join(target, 'pwsh');
  await cp(given, pwsh, { recursive: true });
  await rm(join(pwsh, 'runtimes'), { recursive: true });
  await cp(join(given, 'runtimes'), join(pwsh, 'runtimes'), {
    recursive: true,
    filter: (path) => !otherPlatform.test(path.slice(given.length)),
  });
  progress('compiling it ahead');
  const compiled = await compileAhead(given, options);
  for (const path of compiledAhead) await copyFile(join(compiled, basename(path)), join(pwsh, path));
  await copyFile(join(compiled, 'pwsh'), join(pwsh, 'pwsh'));
  await chmod(join(pwsh, 'pwsh'), 0o755);
  for (const path of [join('host', 'fxr', runtime.version), join('shared', 'Microsoft.NETCore.App', runtime.version)])
    await cp(join(runtime.root, path), join(target, path), { recursive: true });
}

const otherPlatform = /^\/runtimes\/(?!(?:unix|linux|linux-x64)(?:\/|$))./;

/** The package's files for Unix, below the work directory. */
async function installTool({ work, signal }: InstallationOptions): Promise<string> {
  const tool = join(work, 'tool');
  await runDotnet(
    'install PowerShell',
    ['tool', 'install', 'PowerShell', '--version', packageVersion, '--tool-path', tool],
    { timeoutMs: installTimeoutMs, signal },
  );
  const store = join(tool, '.store', 'powershell', packageVersion, 'powershell', packageVersion, 'tools');
  for (const framework of await readdir(store)) {
    const unix = join(store, framework, 'any', 'unix');
    if ((await readdir(unix).catch((): string[] => [])).includes('pwsh.dll')) return unix;
  }
  throw new TwofoldError('internal', `The package PowerShell ${packageVersion} has no files for Unix.`);
}

/**
 * By the SDK's own compiler, as it would for a project that is published. That project is of the program, too: a
 * starter that finds its runtime in the directory above.
 */
async function compileAhead(given: string, { work, signal }: InstallationOptions): Promise<string> {
  const project = join(work, 'ahead');
  await mkdir(project);
  await writeFile(join(project, 'main.cs'), 'return 0;\n');
  await writeFile(join(project, 'pwsh.csproj'), projectText(given));
  const published = join(work, 'published');
  await runDotnet(
    'compile PowerShell ahead',
    ['publish', join(project, 'pwsh.csproj'), '-c', 'Release', '-o', published, '-v', 'quiet'],
    { timeoutMs: compileTimeoutMs, signal },
  );
  return published;
}

const projectText = (given: string): string => `<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <OutputType>Exe</OutputType>
    <TargetFramework>net10.0</TargetFramework>
    <RuntimeIdentifier>linux-x64</RuntimeIdentifier>
    <SelfContained>false</SelfContained>
    <AppHostRelativeDotNet>..</AppHostRelativeDotNet>
    <PublishReadyToRun>true</PublishReadyToRun>
    <UseSharedCompilation>false</UseSharedCompilation>
    <EnableDefaultItems>false</EnableDefaultItems>
    <DebugType>none</DebugType>
    <!-- The audit asks the network at every build. -->
    <NuGetAudit>false</NuGetAudit>
  </PropertyGroup>
  <ItemGroup>
    <Compile Include="main.cs" />
    <Given Include="${compiledAhead.map((path) => `${given}/${path}`).join(';')}" />
  </ItemGroup>
  <Target Name="AddGiven" AfterTargets="ComputeResolvedFilesToPublishList">
    <ItemGroup>
      <ResolvedFileToPublish Include="@(Given)" RelativePath="%(Filename)%(Extension)" PostprocessAssembly="true" />
    </ItemGroup>
  </Target>
</Project>
`;
