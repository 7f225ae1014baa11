// Owns how Docker's query parameters are read: truth values, numbers, times and filters. Does not apply filters.

import { TwofoldError } from '@twofold/contract';

export type Filters = ReadonlyMap<string, readonly string[]>;

/** A request's query. Reading throws `invalid-argument` with the parameter's name. */
export class Query {
  readonly #parameters: URLSearchParams;

  constructor(search: string) {
    this.#parameters = new URLSearchParams(search);
  }

  /** Undefined when absent or empty. */
  text(name: string): string | undefined {
    return this.#parameters.get(name) || undefined;
  }

  required(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw new TwofoldError('invalid-argument', `The parameter "${name}" is missing.`);
    return value;
  }

  texts(name: string): string[] {
    return this.#parameters.getAll(name).filter((value) => value !== '');
  }

  /** Docker's truth: everything but '', 0, no, false and none. */
  flag(name: string, absent = false): boolean {
    const value = this.#parameters.get(name);
    return value === null ? absent : !['', '0', 'no', 'false', 'none'].includes(value.trim().toLowerCase());
  }

  integer(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const number = Number(value);
    if (!/^[+-]?\d+$/.test(value) || !Number.isSafeInteger(number))
      throw new TwofoldError(
        'invalid-argument',
        `The parameter "${name}" is not a whole number: "${value.slice(0, 40)}".`,
      );
    return number;
  }

  /** `seconds[.fraction]` since 1970, or RFC 3339, as Unix nanoseconds. Absent and 0 are undefined. */
  time(name: string): bigint | undefined {
    const value = this.text(name);
    if (value === undefined || value === '0') return undefined;
    return parseTime(value) ?? fail(`The parameter "${name}" is not a valid time: "${value.slice(0, 40)}".`);
  }

  filters(known: readonly string[]): Filters {
    return parseFilters(this.text('filters'), known);
  }
}

function fail(message: string): never {
  throw new TwofoldError('invalid-argument', message);
}

/** `1700000000.5` or `2024-01-01T00:00:00.5Z` as Unix nanoseconds; undefined when it is neither. */
export function parseTime(value: string): bigint | undefined {
  const unix = /^(-?\d{1,12})(?:\.(\d{1,9})\d*)?$/.exec(value);
  if (unix !== null) return BigInt(unix[1]!) * 1_000_000_000n + BigInt((unix[2] ?? '').padEnd(9, '0'));
  const date = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)?)?$/.exec(value);
  if (date === null) return undefined;
  const seconds = Date.parse(`${date[1]}T${date[2] ?? '00:00:00'}${date[4] ?? 'Z'}`);
  return Number.isNaN(seconds) ? undefined : BigInt(seconds) * 1_000_000n + BigInt((date[3] ?? '').padEnd(9, '0'));
}

/**
 * Both of Docker's forms: `{"status":["running"]}` and the older `{"status":{"running":true}}`. An unknown filter is
 * refused, as Docker does.
 */
export function parseFilters(text: string | undefined, known: readonly string[]): Filters {
  if (text === undefined) return new Map();
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new TwofoldError('invalid-argument', 'invalid filter: it is not JSON', { cause });
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    fail('invalid filter: it is not a JSON object');
  const filters = new Map<string, string[]>();
  for (const [name, value] of Object.entries(parsed as Record<string, unknown>)) {
    const values = Array.isArray(value)
      ? value
      : typeof value === 'object'
        ? Object.entries(value ?? {})
            .filter(([, on]) => on === true)
            .map(([key]) => key)
        : null;
    if (values === null || !values.every((one) => typeof one === 'string')) fail(`invalid filter '${name}'`);
    if (!known.includes(name)) fail(`invalid filter '${name}'`);
    if (values.length > 0) filters.set(name, values);
  }
  return filters;
}

/** True when `filters` doesn't speak of `name`, or one of its values passes `fits`. */
export function passes(filters: Filters, name: string, fits: (value: string) => boolean): boolean {
  const values = filters.get(name);
  return values === undefined || values.some(fits);
}

/** Labels: every given `key` or `key=value` has to be there (`label`), or none of them (`label!`). */
export function passesLabels(filters: Filters, labels: Readonly<Record<string, string>>): boolean {
  const has = (wanted: string) => {
    const at = wanted.indexOf('=');
    return at < 0
      ? Object.hasOwn(labels, wanted)
      : Object.hasOwn(labels, wanted.slice(0, at)) && labels[wanted.slice(0, at)] === wanted.slice(at + 1);
  };
  return (filters.get('label') ?? []).every(has) && !(filters.get('label!') ?? []).some(has);
}

/**
 * Name filters are expressions, unanchored, as Docker has them. Repeated groups are refused: they can be made to run
 * for ever.
 */
export function nameExpression(pattern: string): RegExp {
  if (pattern.length > 256 || /\)[*+?{]/.test(pattern))
    fail(`The filter's expression "${pattern.slice(0, 60)}" is too complicated.`);
  try {
    return new RegExp(pattern);
  } catch {
    return fail(`The filter "${pattern.slice(0, 60)}" is not a valid expression.`);
  }
}
