// Owns a daemon under test: roots, socket, bridge prefix, address pool, worker ids and cgroup of its own, so that many
// live side by side with each other and with the machine's own daemon. Disposing it takes everything away and fails
// when something is left.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { readCommandLine } from '@twofold/daemon/command-line.ts';
import { sweep } from '@twofold/daemon/sweep.ts';
import { command, type CommandResult } from './command.ts';
import { leftovers } from './leftovers.ts';
import { until } from './until.ts';

const MAIN = join(import.meta.dirname, '../../packages/daemon/src/main.ts');

let made = 0;

export class TestDaemon implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'tft-'));
  readonly socket = join(this.directory, 's');
  readonly dataRoot = join(this.directory, 'd');
  readonly runRoot = join(this.directory, 'r');
  /** Two letters, so that the daemons of a run differ: `ta`, `tb` … */
  readonly linkPrefix: string;
  readonly #flags: readonly string[];
  #process: ChildProcess | null = null;

  constructor(flags: readonly string[] = []) {
    // The process id keeps test files that run at once apart, the count the daemons of one file.
    const slot = (process.pid + 67 * made++) % 200;
    this.linkPrefix = `t${(slot + 36).toString(36)}`.slice(0, 4);
    const firstUid = 1_900_000_000 + slot * 1000;
    this.#flags = [
      '--data-root',
      this.dataRoot,
      '--exec-root',
      this.runRoot,
      '--host',
      `unix://${this.socket}`,
      '--bridge-prefix',
      this.linkPrefix,
      '--default-address-pool',
      `base=10.${100 + (slot % 50)}.${Math.floor(slot / 50) * 64}.0/18,size=24`,
      '--cgroup-parent',
      `/${basename(this.directory)}`,
      '--worker-uids',
      `${firstUid}-${firstUid + 999}`,
      '--vm-pool',
      '0',
      ...flags,
    ];
  }

  /** Starts the daemon (again) and waits until it answers. */
  async start(): Promise<void> {
    const log = openSync(join(this.directory, 'log'), 'a');
    this.#process = spawn(process.execPath, [MAIN, ...this.#flags], { stdio: ['ignore', log, log] });
    closeSync(log);
    const child = this.#process;
    await until('the daemon answers', async () => {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`The daemon ended with ${child.exitCode ?? child.signalCode}:\n${this.log()}`);
      return (await this.docker(['version', '--format', '{{.Server.Version}}'])).code === 0;
    });
  }

  /** What the daemon logged. */
  log(): string {
    return readFileSync(join(this.directory, 'log'), 'utf8');
  }

  /** Ends the daemon's process by `signal` and waits until it is gone. Its containers live on. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#process;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  /** What a reboot of the host does to a daemon that has been killed: only its data root is left. */
  async reboot(): Promise<void> {
    const aside = `${this.dataRoot}-aside`;
    await rename(this.dataRoot, aside);
    await sweep(readCommandLine(this.#flags)!, () => undefined);
    await rename(aside, this.dataRoot);
  }

  /** The environment in which any Docker client speaks to this daemon. */
  get env(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      DOCKER_HOST: `unix://${this.socket}`,
      DOCKER_CONFIG: join(this.directory, 'docker'),
      DOCKER_CLI_HINTS: 'false',
    };
  }

  /** `docker WORDS…` against this daemon; never throws for an exit code. */
  docker(
    words: readonly string[],
    options: { input?: string | Buffer; timeoutMs?: number } = {},
  ): Promise<CommandResult> {
    return command('docker', words, { env: this.env, ...options });
  }

  /** As `docker`, and throws with its standard error when it fails. Gives standard output without the last newline. */
  async ok(words: readonly string[], options: { input?: string | Buffer; timeoutMs?: number } = {}): Promise<string> {
    const result = await this.docker(words, options);
    if (result.code !== 0)
      throw new Error(
        `docker ${words.join(' ')} ended with ${result.code}: ${result.stderr}\n--- the daemon's log:\n${this.log().split('\n').slice(-15).join('\n')}`,
      );
    return result.stdout.replace(/\n$/, '');
  }

  /** Everything of this daemon's that is still on the host, besides what it should have while it runs. */
  leftovers(): Promise<string[]> {
    return leftovers(this.directory, this.linkPrefix, basename(this.directory));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if ((await this.docker(['version'])).code === 0) {
      const ids = (await this.docker(['ps', '--all', '--quiet', '--no-trunc'])).stdout
        .split('\n')
        .filter((id) => id !== '');
      if (ids.length > 0) await this.docker(['rm', '--force', ...ids]);
    }
    await this.kill('SIGTERM');
    await sweep(readCommandLine(this.#flags)!, () => undefined);
    const left = await this.leftovers();
    const log = this.log();
    await rm(this.directory, { recursive: true, force: true });
    if (left.length > 0)
      throw new Error(
        `The daemon left behind:\n${left.join('\n')}\n--- its log:\n${log.split('\n').slice(-30).join('\n')}`,
      );
  }
}

/** A started daemon. */
export async function startDaemon(flags: readonly string[] = []): Promise<TestDaemon> {
  const daemon = new TestDaemon(flags);
  try {
    await daemon.start();
  } catch (error) {
    await daemon[Symbol.asyncDispose]();
    throw error;
  }
  return daemon;
}
