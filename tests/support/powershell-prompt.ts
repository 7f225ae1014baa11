// Owns a person at PowerShell's prompt in tests: types a line, waits for the next prompt, gives what was printed
// between.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { moduleDirectory, powershell, quietly } from './powershell.ts';
import { Terminal } from './terminal.ts';
import { until } from './until.ts';

/** `PS /somewhere>`, in a session with the container's name before it. */
const promptPattern = /^(\[[^\]\n]*\]: )?PS [^>\n]*>/;

export class Prompt implements AsyncDisposable {
  readonly #terminal: Terminal;
  readonly #directory: string;

  private constructor(terminal: Terminal, directory: string) {
    this.#terminal = terminal;
    this.#directory = directory;
  }

  /** A terminal, wide enough for every line, with a PowerShell that has the module. */
  static async open(env: NodeJS.ProcessEnv, { columns = 150 }: { columns?: number } = {}): Promise<Prompt> {
    const directory = await mkdtemp(join(tmpdir(), 'tfp-'));
    await writeFile(
      join(directory, 'profile.ps1'),
      `Import-Module '${moduleDirectory}/Containers.psd1'
Set-PSReadLineOption -PredictionSource None -HistorySaveStyle SaveNothing
Set-Location '${directory}'
`,
    );
    const terminal = await Terminal.open(
      { ...env, ...quietly, LANG: 'C.UTF-8', TERM: 'xterm-256color' },
      { columns, rows: 50 },
    );
    const prompt = new Prompt(terminal, directory);
    await terminal.type(`${powershell} -NoLogo -NoProfile -NoExit -File ${directory}/profile.ps1`);
    await prompt.#next(0, 30_000);
    return prompt;
  }

  /** What is printed before the next prompt. */
  async enter(line: string, timeoutMs = 60_000): Promise<string> {
    const before = this.#prompts(await this.#terminal.screen()).length;
    await this.#write(line);
    const lines = await this.#next(before, timeoutMs);
    const typed = lines.findLastIndex((text) => promptPattern.test(text) && text.includes(line.slice(0, 40)));
    return lines
      .slice(typed + 1, -1)
      .map((text) => text.trimEnd())
      .join('\n')
      .trim();
  }

  /** Types without waiting for a prompt: for programs that have one of their own. */
  type(line: string): Promise<void> {
    return this.#write(line);
  }

  /** As a person does: Enter when what was typed can be seen. */
  async #write(line: string): Promise<void> {
    const bare = (text: string) => text.replaceAll(/\s/g, '');
    await this.#terminal.key('-l', line);
    await until(`"${line}" is on the screen`, async () => bare(await this.#terminal.screen()).endsWith(bare(line)), {
      everyMs: 50,
    });
    await this.#terminal.key('Enter');
  }

  /** Presses Ctrl+C and waits for the prompt. */
  async interrupt(): Promise<void> {
    const before = this.#prompts(await this.#terminal.screen()).length;
    await this.#terminal.key('C-c');
    await this.#next(before, 10_000);
  }

  see(pattern: RegExp, timeoutMs?: number): Promise<string> {
    return this.#terminal.see(pattern, timeoutMs);
  }

  /** The prompt that waits now. */
  async waiting(): Promise<string> {
    return (await this.#terminal.screen()).split('\n').at(-1)!;
  }

  /** The screen and what is above it, with its colours as SGR sequences. */
  captured(): Promise<string> {
    return this.#terminal.screen({ styled: true });
  }

  #prompts(screen: string): string[] {
    return screen.split('\n').filter((line) => promptPattern.test(line));
  }

  /** The screen's lines once there is one prompt more than `before`, and the last line is an empty one. */
  async #next(before: number, timeoutMs: number): Promise<string[]> {
    let screen = '';
    try {
      return await until(
        'the next prompt',
        async () => {
          screen = await this.#terminal.screen();
          const last = screen.split('\n').at(-1)!;
          return this.#prompts(screen).length > before && promptPattern.exec(last)?.[0] === last.trimEnd()
            ? screen.split('\n')
            : null;
        },
        { timeoutMs, everyMs: 50 },
      );
    } catch (error) {
      throw new Error(`${(error as Error).message}\n--- the screen:\n${screen}`, { cause: error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#terminal[Symbol.asyncDispose]();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
