// Owns the reading of JSON bodies: their size, type, completeness and shape. Tar bodies are streams and don't come
// here.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { TwofoldError } from '@twofold/contract';
import * as v from 'valibot';
import type { Context } from './context.ts';
import { readAs } from './json.ts';

export const maxJsonBytes = 4 << 20;
const bodyLimitMs = 60_000;
const maxDepth = 32;

/** The body as the schema has it. An empty body is `{}` where `empty` allows it. */
export async function readJson<S extends v.GenericSchema>(
  context: Context,
  schema: S,
  options: { empty?: boolean } = {},
): Promise<v.InferOutput<S>> {
  return parseJson(await readBytes(context.request, context.response), context.request, schema, options);
}

/** Throws `too-large`, or `invalid-argument` for a body that was cut. */
async function readBytes(request: IncomingMessage, response: ServerResponse): Promise<Buffer> {
  checkLength(request);
  if (request.headers.expect !== undefined) response.writeContinue();
  const parts: Buffer[] = [];
  let size = 0;
  const late = AbortSignal.timeout(bodyLimitMs);
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const cut = () =>
    reject(
      new TwofoldError(
        'invalid-argument',
        late.aborted ? 'The request body did not arrive in time.' : 'The request body was cut short.',
      ),
    );
  late.addEventListener('abort', cut, { once: true });
  request.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > maxJsonBytes) reject(tooLarge());
    else parts.push(chunk);
  });
  request.on('end', () => resolve(Buffer.concat(parts)));
  request.on('error', cut);
  request.on('close', () => {
    if (!request.complete) cut();
  });
  try {
    return await promise;
  } finally {
    late.removeEventListener('abort', cut);
  }
}

/** Refuses a body by its announced length, before a byte of it is read. */
export function checkLength(request: IncomingMessage): number {
  const length = Number(request.headers['content-length'] ?? 0);
  if (length > maxJsonBytes) throw tooLarge();
  return length;
}

function tooLarge(): TwofoldError {
  return new TwofoldError('too-large', `The request body is larger than the limit of ${maxJsonBytes >> 20} MiB.`);
}

/** Bytes to a checked value, read as json.ts has it. */
export function parseJson<S extends v.GenericSchema>(
  bytes: Buffer,
  request: IncomingMessage,
  schema: S,
  options: { empty?: boolean } = {},
): v.InferOutput<S> {
  let value: unknown = null;
  if (bytes.length === 0) {
    if (options.empty !== true)
      throw new TwofoldError('invalid-argument', 'invalid JSON: got EOF while reading request body');
  } else {
    const type = (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
    if (type !== 'application/json')
      throw new TwofoldError(
        'invalid-argument',
        `unsupported Content-Type header (${type.slice(0, 60)}): must be 'application/json'`,
      );
    try {
      value = JSON.parse(bytes.toString('utf8'));
    } catch (cause) {
      throw new TwofoldError('invalid-argument', `invalid JSON: ${(cause as Error).message.slice(0, 200)}`, { cause });
    }
  }
  checkDepth(value, 0);
  const result = v.safeParse(schema, readAs(schema, value));
  if (result.success) return result.output;
  const issue = result.issues[0];
  throw new TwofoldError('invalid-argument', `${v.getDotPath(issue) ?? 'body'}: ${issue.message}`);
}

function checkDepth(value: unknown, depth: number): void {
  if (depth > maxDepth) throw new TwofoldError('invalid-argument', 'invalid JSON: nested too deeply');
  if (typeof value !== 'object' || value === null) return;
  for (const item of Object.values(value)) checkDepth(item, depth + 1);
}
