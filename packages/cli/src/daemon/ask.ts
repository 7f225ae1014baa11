// Owns the few questions to a daemon that starting and stopping it takes. All other talk with it goes through the SDK.

// Not imported, as in the SDK's transport.ts: an import loads fetch, HTTP/2 and TLS as well.
const { request } = process.getBuiltinModule('node:http');

export interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

/** One request; null when none answers within `timeoutMs`. */
export function ask(
  socketPath: string,
  method: 'GET' | 'DELETE',
  path: string,
  timeoutMs: number,
): Promise<Answer | null> {
  const { promise, resolve } = Promise.withResolvers<Answer | null>();
  const asked = request(
    { socketPath, path, method, agent: false, signal: AbortSignal.timeout(timeoutMs) },
    (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', () => resolve(null));
      answer.on('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          body: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    },
  );
  asked.on('error', () => resolve(null));
  asked.end();
  return promise;
}

/** The API version that the daemon tells ('' when it tells none), or null when no daemon answers. */
export async function ping(socketPath: string, timeoutMs = 2_000): Promise<string | null> {
  const answer = await ask(socketPath, 'GET', '/_ping', timeoutMs);
  const version = answer?.headers['api-version'];
  return answer?.status === 200 ? (typeof version === 'string' ? version : '') : null;
}
