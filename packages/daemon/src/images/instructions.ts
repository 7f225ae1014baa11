// Owns the Dockerfile instructions that `docker import --change` and `docker commit --change` take: reading them and
// what each does to an image's configuration. Pure. Does not own building: FROM, RUN, COPY and the like are refused.
// Source: https://docs.docker.com/reference/dockerfile/

import { posix } from 'node:path';
import { TwofoldError, signalNumber, type Healthcheck, type ImageConfig } from '@twofold/contract';

/** Characters of all changes together. */
const changesLimit = 1 << 20;
const portPattern = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i;

/** The configuration with `changes` applied, one instruction a line. Throws `invalid-argument`. */
export function applyChanges(config: ImageConfig, changes: readonly string[]): ImageConfig {
  if (changes.reduce((sum, change) => sum + change.length, 0) > changesLimit)
    throw new TwofoldError('invalid-argument', 'The changes are longer than 1 MiB.');
  const state = { config: structuredClone(config), cmdGiven: false };
  for (const line of changes.flatMap(logicalLines)) {
    const [, word = '', rest = ''] = /^(\S+)\s*([^]*)$/.exec(line) ?? [];
    const apply = instructions[word.toUpperCase()];
    if (apply === undefined)
      throw new TwofoldError('invalid-argument', `${word.toUpperCase()} is not a valid change command`);
    const text = rest.trim();
    if (text === '' && word.toUpperCase() !== 'CMD' && word.toUpperCase() !== 'ENTRYPOINT')
      throw new TwofoldError('invalid-argument', `${word.toUpperCase()} requires at least one argument`);
    apply(state, text);
  }
  return state.config;
}

interface ChangeState {
  config: ImageConfig;
  cmdGiven: boolean;
}

const instructions: Record<string, ((state: ChangeState, text: string) => void) | undefined> = {
  CMD: (state, text) => {
    state.config.Cmd = commandForm(state.config, text);
    state.cmdGiven = true;
  },
  ENTRYPOINT: (state, text) => {
    state.config.Entrypoint = commandForm(state.config, text);
    // The old CMD was meant for the old entry point.
    if (!state.cmdGiven) delete state.config.Cmd;
  },
  ENV: ({ config }, text) => {
    const environment = new Map((config.Env ?? []).map((entry) => [entry.split('=', 1)[0]!, entry]));
    for (const [name, value] of pairs('ENV', text, config)) environment.set(name, `${name}=${value}`);
    config.Env = [...environment.values()];
  },
  LABEL: ({ config }, text) => {
    config.Labels = { ...config.Labels, ...Object.fromEntries(pairs('LABEL', text, config)) };
  },
  EXPOSE: ({ config }, text) => {
    const ports: Record<string, object> = { ...config.ExposedPorts };
    for (const word of words(text, config)) {
      const [, first, last = first, protocol = 'tcp'] = portPattern.exec(word) ?? [];
      if (first === undefined || Number(first) > Number(last) || Number(last) > 65535)
        throw new TwofoldError('invalid-argument', `EXPOSE: ${JSON.stringify(word)} is not a port`);
      for (let port = Number(first); port <= Number(last); port++) ports[`${port}/${protocol.toLowerCase()}`] = {};
    }
    config.ExposedPorts = ports;
  },
  USER: ({ config }, text) => {
    config.User = words(text, config)[0] ?? '';
  },
  WORKDIR: ({ config }, text) => {
    const directory = words(text, config).join(' ');
    config.WorkingDir = posix.resolve('/', config.WorkingDir ?? '/', directory);
  },
  STOPSIGNAL: ({ config }, text) => {
    signalNumber(text);
    config.StopSignal = text;
  },
  VOLUME: ({ config }, text) => {
    const volumes: Record<string, object> = { ...config.Volumes };
    for (const path of jsonForm(text) ?? words(text, config)) {
      if (path.trim() === '') throw new TwofoldError('invalid-argument', 'VOLUME specified can not be an empty string');
      volumes[path] = {};
    }
    config.Volumes = volumes;
  },
  ONBUILD: ({ config }, text) => {
    const trigger = /^\w+/.exec(text)?.[0].toUpperCase();
    if (trigger === 'ONBUILD')
      throw new TwofoldError('invalid-argument', "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
    if (trigger === 'FROM' || trigger === 'MAINTAINER')
      throw new TwofoldError('invalid-argument', `${trigger} isn't allowed as an ONBUILD trigger`);
    config.OnBuild = [...(config.OnBuild ?? []), text];
  },
  HEALTHCHECK: ({ config }, text) => {
    const check: Healthcheck = {};
    let rest = text;
    for (let flag; (flag = /^--([a-z-]+)=(\S+)\s+/.exec(rest)) !== null; rest = rest.slice(flag[0].length)) {
      const [, name = '', value = ''] = flag;
      const key = healthcheckFlags[name];
      if (key === undefined) throw new TwofoldError('invalid-argument', `Unknown flag: ${name.slice(0, 40)}`);
      check[key] = key === 'Retries' ? Number(value) : nanoseconds(value);
      if (!Number.isSafeInteger(check[key]) || check[key]! < 0)
        throw new TwofoldError('invalid-argument', `HEALTHCHECK: ${JSON.stringify(value)} is not a valid ${name}`);
    }
    const [, kind = '', command = ''] = /^(\w+)\s*([^]*)$/.exec(rest) ?? [];
    if (kind.toUpperCase() === 'NONE') {
      if (command !== '') throw new TwofoldError('invalid-argument', 'HEALTHCHECK NONE takes no arguments');
      config.Healthcheck = { Test: ['NONE'] };
      return;
    }
    if (kind.toUpperCase() !== 'CMD')
      throw new TwofoldError('invalid-argument', `Unknown type ${JSON.stringify(kind)} in HEALTHCHECK (try CMD)`);
    if (command === '') throw new TwofoldError('invalid-argument', 'Missing command after HEALTHCHECK CMD');
    const words = jsonForm(command);
    config.Healthcheck = { Test: words === null ? ['CMD-SHELL', command] : ['CMD', ...words], ...check };
  },
};

const healthcheckFlags: Record<string, Exclude<keyof Healthcheck, 'Test'> | undefined> = {
  interval: 'Interval',
  timeout: 'Timeout',
  'start-period': 'StartPeriod',
  'start-interval': 'StartInterval',
  retries: 'Retries',
};
const nanosecondsOf: Record<string, number> = { h: 3.6e12, m: 6e10, s: 1e9, ms: 1e6, us: 1e3, µs: 1e3, ns: 1 };

/** A duration as Go writes it (`1m30s`, `500ms`); NaN for what is not one. */
function nanoseconds(text: string): number {
  if (!/^(?:\d+(?:\.\d+)?(?:h|m|s|ms|us|µs|ns))+$/.test(text)) return NaN;
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)/g);
  return Math.round([...parts].reduce((sum, [, number, unit]) => sum + Number(number) * nanosecondsOf[unit!]!, 0));
}

/** Lines without comments and blanks; one that ends in \ goes on in the next. */
function logicalLines(text: string): string[] {
  return text
    .replace(/\\[ \t]*\r?\n/g, ' ')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** `["a","b"]` as a list, or null when the text is not one (then it is the shell form). */
function jsonForm(text: string): string[] | null {
  if (!text.startsWith('[')) return null;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((item): item is string => typeof item === 'string') ? value : null;
  } catch {
    return null;
  }
}

function commandForm(config: ImageConfig, text: string): string[] {
  return jsonForm(text) ?? (text === '' ? [] : [...(config.Shell ?? ['/bin/sh', '-c']), text]);
}

/** `a=b c="d e"`, or the old form `a b c` with one name and the rest as its value. */
function pairs(instruction: string, text: string, config: ImageConfig): [string, string][] {
  const first = /^[^\s=]+(?=\s)/.exec(text);
  if (first !== null && !text.slice(first[0].length).trimStart().startsWith('='))
    return [[first[0], expand(text.slice(first[0].length).trim(), config)]];
  return words(text, config).map((word) => {
    const equals = word.indexOf('=');
    if (equals === -1)
      throw new TwofoldError(
        'invalid-argument',
        `Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`,
      );
    if (equals === 0) throw new TwofoldError('invalid-argument', `${instruction} names can not be blank`);
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
}

const wordPattern = /(?:\\[^]|"(?:\\[^]|[^"\\])*"|'[^']*'|[^\s"'\\])+/g;

function words(text: string, config: ImageConfig): string[] {
  const found = text.match(wordPattern) ?? [];
  // What the pattern could not take is an opening quote without its end.
  if (text.replace(wordPattern, '').trim() !== '')
    throw new TwofoldError(
      'invalid-argument',
      `unexpected end of statement while looking for matching quote in ${JSON.stringify(text.slice(0, 100))}`,
    );
  return found.map((word) => expand(word, config));
}

const piecePattern = /\\([^])|'([^']*)'|"((?:\\[^]|[^"\\])*)"|\$(\w+)|\$\{(\w+)(?::([-+])([^}]*))?\}|([^])/g;

/** Quotes and escapes taken away, variables of the image's environment put in. */
function expand(text: string, config: ImageConfig, quoted = false): string {
  const lookup = (name: string) => config.Env?.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
  return text.replace(piecePattern, (whole, escaped, single, double, plain, braced, operator, word, other) => {
    if (escaped !== undefined) return quoted && !'"\\$'.includes(escaped) ? whole : escaped;
    if (quoted && (single !== undefined || double !== undefined)) return whole;
    if (single !== undefined) return single;
    if (double !== undefined) return expand(double, config, true);
    if (plain !== undefined) return lookup(plain) ?? '';
    if (braced !== undefined) {
      const value = lookup(braced) ?? '';
      if (operator === '-') return value === '' ? word : value;
      return operator === '+' ? (value === '' ? '' : word) : value;
    }
    return other;
  });
}
