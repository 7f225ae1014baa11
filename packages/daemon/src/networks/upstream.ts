// Owns asking the host's own name servers, bounded in time and number. Every question has a socket (so a random port)
// of its own, connected to the server it asks: nobody else's datagram is taken for an answer.

import { createSocket } from 'node:dgram';
import { readFile } from 'node:fs/promises';
import { connect, isIP } from 'node:net';

const attemptTimeoutMs = 2_500;

/** Name servers of a resolv.conf, at most three as the C library has it. */
export function nameServersOf(resolvConf: string): string[] {
  return resolvConf
    .split('\n')
    .map((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1]?.replace(/%.*$/, ''))
    .filter((server): server is string => server !== undefined && isIP(server) !== 0)
    .slice(0, 3);
}

/** The host's name servers now; a changed resolv.conf counts from the next question on. */
export async function hostNameServers(): Promise<string[]> {
  return readFile('/etc/resolv.conf', 'utf8').then(nameServersOf, () => []);
}

function askUdp(query: Buffer, server: string, port: number, signal: AbortSignal): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const socket = createSocket(isIP(server) === 6 ? 'udp6' : 'udp4');
  const giveUp = () => reject(new Error('no answer in time'));
  signal.addEventListener('abort', giveUp, { once: true });
  socket.on('error', reject);
  socket.on('message', (answer) => {
    if (
      answer.length >= 12 &&
      answer.readUInt16BE(0) === query.readUInt16BE(0) &&
      (answer.readUInt16BE(2) & 0x8000) !== 0
    )
      resolve(answer);
  });
  socket.connect(port, server, () => socket.send(query));
  return promise.finally(() => {
    signal.removeEventListener('abort', giveUp);
    socket.close();
  });
}

function askTcp(query: Buffer, server: string, port: number, signal: AbortSignal): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const socket = connect({ host: server, port, signal });
  let received = Buffer.alloc(0);
  socket.on('error', reject);
  socket.on('close', () => reject(new Error('hung up')));
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    if (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0))
      resolve(received.subarray(2, 2 + received.readUInt16BE(0)));
  });
  const length = Buffer.alloc(2);
  length.writeUInt16BE(query.length);
  socket.write(Buffer.concat([length, query]));
  return promise.finally(() => socket.destroy());
}

/** Asks the servers in turn; null when none answers. */
export async function askUpstream(
  query: Buffer,
  transport: 'udp' | 'tcp',
  servers: readonly string[],
  signal: AbortSignal,
  port = 53,
): Promise<Buffer | null> {
  const ask = transport === 'udp' ? askUdp : askTcp;
  for (const server of servers) {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(attemptTimeoutMs)]);
    try {
      return await ask(query, server, port, limited);
    } catch {
      if (signal.aborted) return null; // otherwise the next server is asked
    }
  }
  return null;
}
