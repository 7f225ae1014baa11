// Owns how a method and a path find their route. Knows no route: routes.ts has the table.

import { TwofoldError } from '@twofold/contract';

/** `{name}` is one segment; `{name:.*}` takes slashes too, as image names have them. The first route that fits wins. */
export interface Pattern {
  readonly expression: RegExp;
  readonly names: readonly string[];
}

export function compilePattern(path: string): Pattern {
  const names: string[] = [];
  const source = path.split('/').map((segment) => {
    const parameter = /^\{(\w+)(:\.\*)?\}$/.exec(segment);
    if (parameter === null) return segment.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    names.push(parameter[1]!);
    return parameter[2] === undefined ? '([^/]+)' : '(.+)';
  });
  return { expression: new RegExp(`^${source.join('/')}$`), names };
}

/**
 * The parameters of `path` (percent-decoded), or null where the pattern does not fit. Throws `invalid-argument` on a
 * broken escape.
 */
export function matchPattern(pattern: Pattern, path: string): Record<string, string> | null {
  const match = pattern.expression.exec(path);
  if (match === null) return null;
  return Object.fromEntries(pattern.names.map((name, index) => [name, decode(match[index + 1]!)]));
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new TwofoldError('invalid-argument', 'The path contains an invalid percent escape.', { cause });
  }
}
