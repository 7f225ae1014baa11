// Owns what is counted of node:test's events: a reporter that writes one JSON line for each finished test. Suites are
// not tests.

import type { TestEvent } from 'node:test/reporters';

/** One finished test, as run-file.ts reads it back. */
export interface TestOutcome {
  readonly name: string;
  readonly result: 'passed' | 'failed' | 'skipped';
  readonly reason?: string;
}

/** The reporter: `node --test-reporter=<this file>`. */
export default async function* counts(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of source) {
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue;
    const { name, details, skip, todo } = event.data;
    if (details.type === 'suite') continue;
    const excuse = skip ?? todo;
    const result = excuse !== undefined ? 'skipped' : event.type === 'test:pass' ? 'passed' : 'failed';
    const outcome: TestOutcome = { name, result, ...(typeof excuse === 'string' ? { reason: excuse } : {}) };
    yield `${JSON.stringify(outcome)}\n`;
  }
}
