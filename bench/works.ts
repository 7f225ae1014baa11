// Owns what is measured: each work takes a peer and gives numbers. Nothing here knows which engine it runs against.

import type { Peer } from './peer.ts';
import { belongingTo, hostProcesses, memoryByName } from './processes.ts';
import { drain, run } from './run.ts';

/** Milliseconds of `docker run --rm IMAGE true`, `runs` times after one that warms up. */
export async function startTimes(peer: Peer, image: string, runs: number): Promise<number[]> {
  return repeat(runs, async () => (await run(peer, ['run', '--rm', image, 'true'])).milliseconds);
}

/** Milliseconds of `docker exec C true` in one running container. */
export async function execTimes(peer: Peer, image: string, runs: number): Promise<number[]> {
  await using container = await sleeping(peer, image);
  return await repeat(runs, async () => (await run(peer, ['exec', container.id, 'true'])).milliseconds);
}

/** Milliseconds from the first of `count` starts, all at once, until the last container has answered an exec. */
export async function burst(peer: Peer, image: string, count: number): Promise<number> {
  await using running = new AsyncDisposableStack();
  const began = performance.now();
  const containers = await Promise.allSettled(Array.from({ length: count }, async () => {
    const container = running.use(await sleeping(peer, image));
    await run(peer, ['exec', container.id, 'true'], { timeoutMs: 600_000 });
  }));
  const milliseconds = performance.now() - began;
  const failed = containers.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return milliseconds;
}

/** MiB per second of a container that writes `mebibytes` of zeros to its standard output. */
export async function throughput(peer: Peer, image: string, mebibytes: number): Promise<number> {
  const { bytes, milliseconds } = await drain(peer, ['run', '--rm', image, 'head', '-c', `${mebibytes}m`, '/dev/zero']);
  if (bytes !== mebibytes * 2 ** 20) throw new Error(`${peer.name} gave ${bytes} bytes of ${mebibytes} MiB.`);
  return mebibytes / (milliseconds / 1000);
}

/** MiB (PSS) that each of `count` sleeping containers adds to the host, in all and by the name of the process. */
export async function memoryPerContainer(peer: Peer, image: string, count: number): Promise<{ total: number; byName: Record<string, number> }> {
  await using running = new AsyncDisposableStack();
  // The first container brings what all of them share; it is not counted.
  running.use(await sleeping(peer, image));
  const ids: string[] = [];
  for (let i = 0; i < count; i++) ids.push(running.use(await sleeping(peer, image)).id);
  const sums = memoryByName(belongingTo(ids, hostProcesses()));
  const byName = Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / count]));
  return { total: Object.values(byName).reduce((a, b) => a + b, 0), byName };
}

async function sleeping(peer: Peer, image: string): Promise<AsyncDisposable & { id: string }> {
  const id = (await run(peer, ['run', '--detach', image, 'sleep', '3600'], { timeoutMs: 600_000 })).stdout.split('\n').at(-1)!;
  return { id, [Symbol.asyncDispose]: async () => { await run(peer, ['rm', '--force', id]); } };
}

async function repeat(times: number, work: () => Promise<number>): Promise<number[]> {
  await work();
  const values: number[] = [];
  for (let i = 0; i < times; i++) values.push(await work());
  return values;
}
