// Owns a person's terminal in tests: a tmux server of its own, typed into and read like a screen.

import { randomBytes } from 'node:crypto';
import { command } from './command.ts';
import { until } from './until.ts';

export class Terminal implements AsyncDisposable {
  readonly #name = `twofold-test-${randomBytes(4).toString('hex')}`;

  async #tmux(...words: string[]): Promise<string> {
    const result = await command('tmux', ['-L', this.#name, ...words], { timeoutMs: 10_000 });
    if (result.code !== 0) throw new Error(`tmux ${words.join(' ')}: ${result.stderr}`);
    return result.stdout;
  }

  /** Opens a terminal of the given size with a shell whose prompt is `host$ `. */
  static async open(
    env: NodeJS.ProcessEnv,
    size: { columns: number; rows: number } = { columns: 100, rows: 30 },
  ): Promise<Terminal> {
    const terminal = new Terminal();
    const result = await command(
      'tmux',
      [
        '-L',
        terminal.#name,
        '-f',
        '/dev/null',
        'new-session',
        '-d',
        '-x',
        String(size.columns),
        '-y',
        String(size.rows),
        'env',
        'PS1=host$ ',
        'sh',
      ],
      { env, timeoutMs: 10_000 },
    );
    if (result.code !== 0) throw new Error(`tmux: ${result.stderr}`);
    await terminal.#tmux('set-option', '-g', 'window-size', 'manual');
    await terminal.see(/host\$/);
    return terminal;
  }

  /** Types text as it is; `enter` ends the line. */
  async type(text: string): Promise<void> {
    await this.#tmux('send-keys', '-l', text);
    await this.key('Enter');
  }

  /** Presses a key by tmux's name: `C-c`, `Enter`, `C-p`. */
  async key(...names: string[]): Promise<void> {
    await this.#tmux('send-keys', ...names);
  }

  async resize(size: { columns: number; rows: number }): Promise<void> {
    await this.#tmux('resize-window', '-x', String(size.columns), '-y', String(size.rows));
  }

  /** What is on the screen and above it; `styled` with its colours as SGR sequences. */
  async screen({ styled = false }: { styled?: boolean } = {}): Promise<string> {
    return (await this.#tmux('capture-pane', '-p', '-S', '-200', ...(styled ? ['-e'] : []))).trimEnd();
  }

  /** Waits until the screen matches. */
  async see(pattern: RegExp, timeoutMs = 30_000): Promise<string> {
    let last = '';
    try {
      return await until(
        `the screen shows ${pattern}`,
        async () => {
          last = await this.screen();
          return pattern.test(last) ? last : null;
        },
        { timeoutMs, everyMs: 100 },
      );
    } catch (error) {
      throw new Error(`${(error as Error).message}\n--- the screen:\n${last}`, { cause: error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await command('tmux', ['-L', this.#name, 'kill-server'], { timeoutMs: 10_000 });
  }
}
