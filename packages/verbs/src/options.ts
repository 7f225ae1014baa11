// Owns options that several verbs have.

import { InvalidArgumentError, Option } from 'commander';

export type Format = 'table' | 'json';

/** `--format table|json`, for every command that lists something. */
export function formatOption(): Option {
  return new Option('--format <format>', 'table for people, json for programs')
    .default('table')
    .argParser((text): Format => {
      if (text !== 'table' && text !== 'json') throw new InvalidArgumentError('Use table or json.');
      return text;
    });
}

/** For an option that can be given several times. */
export const gather = (value: string, earlier: string[]): string[] => [...earlier, value];
