// Owns a daemon under test: roots, socket, bridge prefix, address pool, worker ids and cgroup of its own, so that many
// live side by side with each other and with the machine's own daemon. Disposing it takes everything away and fails
// when something is left.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, afterEach, before, beforeEach } from 'node:test';
import { readCommandLine } from '@twofold/daemon/command-line.ts';
import { sweep } from '@twofold/daemon/sweep.ts';
import { command, type CommandResult } from './command.ts';
import { endingTakes } from './ending.ts';
import { leftovers } from './leftovers.ts';
import { claimSlot } from './slot.ts';
import { until } from './until.ts';

const MAIN = join(import.meta.dirname, '../../packages/daemon/src/main.ts');

export class TestDaemon implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'tft-'));
  readonly socket = join(this.directory, 's');
  readonly dataRoot = join(this.directory, 'd');
  readonly runRoot = join(this.directory, 'r');
  readonly #slot = claimSlot();
  readonly #ending = endingTakes(this);
  readonly linkPrefix = this.#slot.linkPrefix;
  /** The daemon's own. */
  readonly flags: readonly string[];
  #process: ChildProcess | null = null;

  constructor(flags: readonly string[] = []) {
    const { addressPool, workerUids } = this.#slot;
    this.flags = [
      '--data-root',
      this.dataRoot,
      '--exec-root',
      this.runRoot,
      '--host',
      `unix://${this.socket}`,
      '--bridge-prefix',
      this.linkPrefix,
      '--default-address-pool',
      addressPool,
      '--cgroup-parent',
      `/${basename(this.directory)}`,
      '--worker-uids',
      `${workerUids.first}-${workerUids.last}`,
      '--vm-pool',
      '0',
      ...flags,
    ];
  }

  /** Starts the daemon (again) and waits until it answers. */
  async start(): Promise<void> {
    const log = openSync(join(this.directory, 'log'), 'a');
    this.#process = spawn(process.execPath, [MAIN, ...this.flags], { stdio: ['ignore', log, log] });
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
    await sweep(readCommandLine(this.flags)!, () => undefined);
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

  /** Takes away the containers that were made at `sinceMs` or later. */
  async removeContainers(sinceMs = 0): Promise<void> {
    const lines = await this.docker(['ps', '--all', '--no-trunc', '--format', '{{.ID}}']);
    const ids = lines.stdout.split('\n').filter((id) => id !== '');
    if (lines.code !== 0 || ids.length === 0) return;
    const made = await this.docker(['inspect', '--format', '{{.Id}} {{.Created}}', ...ids]);
    const late = made.stdout.split('\n').flatMap((line) => {
      const [id, created] = line.split(' ');
      return created !== undefined && Date.parse(created) >= sinceMs ? [id!] : [];
    });
    if (late.length > 0) await this.docker(['rm', '--force', ...late]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.removeContainers();
    await this.kill('SIGTERM');
    await sweep(readCommandLine(this.flags)!, () => undefined);
    // A disk of its own (loop-disk.ts), where a test gave it one.
    await command('umount', ['--lazy', this.dataRoot]);
    const left = await this.leftovers();
    const log = this.log();
    await rm(this.directory, { recursive: true, force: true });
    this.#slot[Symbol.dispose]();
    this.#ending[Symbol.dispose]();
    if (left.length > 0)
      throw new Error(
        `The daemon left behind:\n${left.join('\n')}\n--- its log:\n${log.split('\n').slice(-30).join('\n')}`,
      );
  }
}

/**
 * A daemon for the tests of a file: up before the first, with what `prepare` makes, and gone after the last (hooks of a
 * file that are not in a suite are not waited for one after the other, so that this is no second `before`). A test that
 * fails leaves the next ones nothing to fall over: the containers that it made are removed.
 */
export function daemonForTests(
  flags: readonly string[] = [],
  prepare: (daemon: TestDaemon) => Promise<void> = async () => undefined,
): TestDaemon {
  const daemon = new TestDaemon(flags);
  let beganMs = 0;
  before(async () => {
    await daemon.start();
    await prepare(daemon);
  });
  beforeEach(() => {
    beganMs = Date.now();
  });
  afterEach(async (context) => {
    // What was made before the first test, or by a test that went well, is there for a reason.
    if (!('passed' in context && context.passed === true)) await daemon.removeContainers(beganMs);
  });
  after(() => daemon[Symbol.asyncDispose]());
  return daemon;
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
