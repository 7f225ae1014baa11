// Owns that one bench runs at a time on a machine: two would spoil each other's figures, and their engines have the
// same names.

import { once } from 'node:events';
import { createServer } from 'node:net';

/** Throws while another bench runs. The hold ends with the process, however that ends. */
export async function holdMachine(): Promise<AsyncDisposable> {
  const server = createServer();
  // An abstract socket: no file stays behind.
  server.listen('\0twofold-bench');
  await once(server, 'listening').catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EADDRINUSE' ? new Error('Another bench runs on this machine.') : error;
  });
  return {
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
    },
  };
}
