// Owns the reading of a stream whole: never without a limit, since whoever writes it may go on for ever.

import { TwofoldError } from '@twofold/contract';

/** Everything, or `protocol` as soon as it is more than `limitBytes`. */
export async function collect(output: AsyncIterable<Buffer>, limitBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of output) {
    size += part.length;
    if (size > limitBytes) throw new TwofoldError('protocol', 'An answer is longer than its limit.');
    parts.push(part);
  }
  return Buffer.concat(parts);
}
