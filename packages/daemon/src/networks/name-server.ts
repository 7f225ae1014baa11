// Owns the sockets of one switch's name server (UDP and TCP, port 53 of the gateway address). What it answers is
// names.ts's decision. Clients are containers and hostile: those of other networks are not heard, and questions in
// flight are bounded per client and in all.

import { createSocket } from 'node:dgram';
import { createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { contains, parseAddress, type Subnet } from './addresses.ts';
import { failure, judgeQuery, type Directory } from './names.ts';
import { askUpstream, hostNameServers } from './upstream.ts';

const inFlightPerClient = 64;
const inFlightInAll = 512;
const connectionsInAll = 64;
const connectionIdleMs = 10_000;

export interface NameServer extends AsyncDisposable {
  readonly address: string;
}

export interface NameServerOptions {
  readonly address: string;
  readonly port?: number;
  readonly subnet: Subnet;
  /** False for an internal switch, which learns nothing of the world. */
  readonly forward: boolean;
  /** What the client at this address may know. */
  readonly directory: (client: number) => Directory;
  readonly servers?: () => Promise<string[]>;
  readonly upstreamPort?: number;
}

/** Binds both sockets; throws what bind throws. */
export async function openNameServer(options: NameServerOptions): Promise<NameServer> {
  const port = options.port ?? 53;
  const closing = new AbortController();
  const busy = new Map<string, number>();
  let inAll = 0;

  const respond = async (query: Buffer, client: string, transport: 'udp' | 'tcp'): Promise<Buffer | null> => {
    const number = parseAddress(client);
    if (number === null || !contains(options.subnet, number)) return null;
    const verdict = judgeQuery(query, options.directory(number), options.subnet);
    if (verdict.kind === 'answer') return verdict.packet;
    if (verdict.kind === 'drop') return null;
    const mine = busy.get(client) ?? 0;
    if (!options.forward || mine >= inFlightPerClient || inAll >= inFlightInAll) return failure(query);
    busy.set(client, mine + 1);
    inAll += 1;
    try {
      // A host that asks us for names must not be asked back.
      const servers = (await (options.servers ?? hostNameServers)()).filter((server) => server !== options.address);
      return (await askUpstream(query, transport, servers, closing.signal, options.upstreamPort)) ?? failure(query);
    } finally {
      inAll -= 1;
      const left = (busy.get(client) ?? 1) - 1;
      if (left === 0) busy.delete(client);
      else busy.set(client, left);
    }
  };

  const udp = createSocket('udp4');
  udp.bind(port, options.address);
  await once(udp, 'listening');
  udp.on('error', () => undefined); // an answer that could not be sent is a lost datagram; the client asks again
  udp.on('message', (query, from) => {
    void respond(query, from.address, 'udp').then((answer) => {
      if (answer !== null && !closing.signal.aborted) udp.send(answer, from.port, from.address, () => undefined);
    });
  });

  const connections = new Set<Socket>();
  const tcp = createServer((socket) => {
    connections.add(socket);
    socket.setTimeout(connectionIdleMs, () => socket.destroy());
    socket.on('close', () => connections.delete(socket));
    socket.on('error', () => socket.destroy());
    let received = Buffer.alloc(0);
    let work: Promise<void> = Promise.resolve();
    const answerOne = async (query: Buffer): Promise<void> => {
      const answer = await respond(query, socket.remoteAddress ?? '', 'tcp');
      if (answer === null || socket.destroyed) return void socket.destroy();
      const length = Buffer.alloc(2);
      length.writeUInt16BE(answer.length);
      socket.write(Buffer.concat([length, answer]));
    };
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      socket.pause(); // one question at a time: the rest waits in the kernel
      work = work.then(async () => {
        while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
          const end = 2 + received.readUInt16BE(0);
          const query = received.subarray(2, end);
          received = received.subarray(end);
          await answerOne(query);
        }
        socket.resume();
      });
    });
  });
  tcp.maxConnections = connectionsInAll;
  try {
    tcp.listen(port, options.address);
    await once(tcp, 'listening');
  } catch (error) {
    udp.close();
    throw error;
  }
  tcp.on('error', () => undefined);
  // Containers outlive the daemon, so their name server must not keep it alive either.
  udp.unref();
  tcp.unref();

  return {
    address: options.address,
    async [Symbol.asyncDispose]() {
      closing.abort();
      for (const socket of connections) socket.destroy();
      await Promise.all([
        new Promise<void>((done) => udp.close(() => done())),
        new Promise<void>((done) => tcp.close(() => done())),
      ]);
    },
  };
}
