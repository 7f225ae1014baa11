// Owns what a container's process is started with: arguments, environment, directory. Pure.
// Does not own its rights (capabilities.ts, seccomp.ts) nor its limits (limits.ts).

import { TwofoldError } from '@twofold/contract';
import type { ContainerConfig } from '@twofold/contract';

/**
 * Where `--init` puts its init process inside a container: Docker's place. plan.ts provides the file there
 * (ProvidedFile): bound on the host, carried over into a utility VM. The program is native/base/csrss.c.
 */
export const initPath = '/sbin/docker-init';

export const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Entrypoint and command. Throws `invalid-argument` when there is nothing to run. */
export function processArguments(config: ContainerConfig, init: boolean): string[] {
  // [""] is how Docker's clients take an image's entrypoint away.
  const entrypoint = config.Entrypoint?.length === 1 && config.Entrypoint[0] === '' ? [] : (config.Entrypoint ?? []);
  const words = [...entrypoint, ...(config.Cmd ?? [])];
  if (words.length === 0) throw new TwofoldError('invalid-argument', 'No command specified');
  if (words.some((word) => word.includes('\0')))
    throw new TwofoldError('invalid-argument', 'The command contains a NUL byte.');
  return init ? [initPath, ...words] : words;
}

/**
 * The environment in Docker's order: defaults, then the configuration's; a later setting wins in the earlier one's
 * place; a name alone unsets.
 */
export function processEnvironment(
  config: Pick<ContainerConfig, 'Env' | 'Tty'>,
  hostname: string,
  home: string,
): string[] {
  const variables = new Map<string, string>();
  const set = (variable: string) => {
    const at = variable.indexOf('=');
    if (at < 0) variables.delete(variable);
    else variables.set(variable.slice(0, at), variable);
  };
  set(defaultPath);
  set(`HOSTNAME=${hostname}`);
  if (config.Tty === true) set('TERM=xterm');
  for (const variable of config.Env ?? []) {
    if (variable.startsWith('=') || variable === '')
      throw new TwofoldError('invalid-argument', `invalid environment variable: ${variable}`);
    if (variable.includes('\0'))
      throw new TwofoldError('invalid-argument', 'An environment variable contains a NUL byte.');
    set(variable);
  }
  if (!variables.has('HOME')) set(`HOME=${home === '' ? '/' : home}`);
  return [...variables.values()];
}

/** The working directory: `/` unless one is set. */
export function processDirectory(directory: string | undefined): string {
  if (directory === undefined || directory === '') return '/';
  if (!directory.startsWith('/'))
    throw new TwofoldError(
      'invalid-argument',
      `the working directory '${directory}' is invalid, it needs to be an absolute path`,
    );
  if (directory.includes('\0'))
    throw new TwofoldError('invalid-argument', 'The working directory contains a NUL byte.');
  return directory;
}
