// Owns Docker's multiplexed stream: eight bytes before each piece that say which stream and how much. Not the
// supervisor's frames.

// Docker has the first three, and 3 for an error of its own. `exit` is ours: its one byte is an exit code, and nothing
// follows.
const numberOf = { stdin: 0, stdout: 1, stderr: 2, exit: 4 } as const;

/** `stream, 0, 0, 0, length (big endian)`, to be followed by `length` bytes. */
export function frameHeader(stream: keyof typeof numberOf, length: number): Buffer {
  const header = Buffer.alloc(8);
  header[0] = numberOf[stream];
  header.writeUInt32BE(length, 4);
  return header;
}

export const rawStreamType = 'application/vnd.docker.raw-stream';
export const verbStreamType = 'application/vnd.twofold.verb-stream';
export const multiplexedStreamType = 'application/vnd.docker.multiplexed-stream';

/** The content type of an attach or log stream; the second name came with API 1.42. */
export function streamType(multiplexed: boolean, minor: number): string {
  return multiplexed && minor >= 42 ? multiplexedStreamType : rawStreamType;
}
