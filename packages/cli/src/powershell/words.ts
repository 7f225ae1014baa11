// Owns turning words that pwsh takes into words with which it has the module too. Pure. It has no option for a module,
// so the module is imported by the command that pwsh is given.

/** Alone, and with a value behind them. Each may be cut short: pwsh takes `-nop` for `-NoProfile`. */
const switches = ['NoLogo', 'NoProfile', 'NonInteractive', 'NoExit', 'Interactive', 'Login', 'MTA', 'STA'];
const shortSwitches = ['nop', 'noni', 'noe', 'nol', 'i', 'l'];
const valued = [
  'ExecutionPolicy',
  'InputFormat',
  'OutputFormat',
  'WorkingDirectory',
  'WindowStyle',
  'ConfigurationName',
  'CustomPipeName',
  'SettingsFile',
];
const shortValued = ['ex', 'ep', 'inp', 'if', 'o', 'of', 'wd', 'wo', 'w', 'config', 'settings'];

export interface Surroundings {
  /** The module's directory or manifest. */
  readonly module: string;
  /** Somebody types: standard input is a terminal. */
  readonly isTerminal: boolean;
}

/** The words for pwsh. Those that this does not know (`-Version`, `-EncodedCommand` …) are left to pwsh as they are. */
export function pwshWords(words: readonly string[], { module, isTerminal }: Surroundings): string[] {
  const load = `Import-Module ${quoted(module)}`;
  const count = leadingOptions(words);
  const options = ['-NoLogo', ...words.slice(0, count)];
  const [first, ...rest] = words.slice(count);
  const name = optionName(first);
  if (first === undefined && isTerminal) return [...options, '-NoExit', '-Command', load];
  if (first === undefined || first === '-' || (isCut('Command', 'c', name) && rest[0] === '-'))
    return [...options, '-Command', `${load}; . ([scriptblock]::Create(@($input) -join "\`n"))`];
  if (isCut('Command', 'c', name)) return [...options, '-Command', `${load}; ${rest.join(' ')}`];
  const file = isCut('File', 'f', name) ? rest : name === null ? [first, ...rest] : null;
  if (file === null || file.length === 0) return [...words];
  const call = file.map((word, index) => (index > 0 && /^[-\u2013][a-z]/i.test(word) ? word : quoted(word))).join(' ');
  return [...options, '-Command', `${load}; & ${call}; exit $LASTEXITCODE`];
}

/** How many of the words are options of the session. */
function leadingOptions(words: readonly string[]): number {
  let count = 0;
  while (count < words.length) {
    const name = optionName(words[count]);
    if (name !== null && isOneOf(switches, shortSwitches, name)) count += 1;
    else if (name !== null && isOneOf(valued, shortValued, name)) count += 2;
    else break;
  }
  return Math.min(count, words.length);
}

/** Lower case, without its dash (or two); null for a word that is no option. */
const optionName = (word: string | undefined): string | null =>
  /^(?:--?|[\u2013\u2014\u2015])([a-z]+)$/i.exec(word ?? '')?.[1]?.toLowerCase() ?? null;
/** From `least` on, as pwsh takes it. */
const isCut = (option: string, least: string, name: string | null): boolean =>
  name !== null && name.startsWith(least) && option.toLowerCase().startsWith(name);
const isOneOf = (options: readonly string[], short: readonly string[], name: string): boolean =>
  short.includes(name) || options.some((option) => name.length > 3 && option.toLowerCase().startsWith(name));
const quoted = (word: string): string => `'${word.replaceAll(/['\u2018\u2019\u201A\u201B]/g, '$&$&')}'`;
