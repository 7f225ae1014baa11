// Owns the bench's course: which peers, which works, in one run on one machine. `npm run bench -- --help`.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import type { MissingPeer, Peer } from './peer.ts';
import { startDockerd } from './peers/dockerd.ts';
import { startPodman } from './peers/podman.ts';
import { startTwofold } from './peers/twofold.ts';
import { plot } from './plot.ts';
import { describeMachine, render, type Row } from './report.ts';
import { run } from './run.ts';
import { summarise } from './statistics.ts';
import { burst, execTimes, memoryPerContainer, startTimes, throughput } from './works.ts';

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number of at least 1.');
  return value;
}

const options = new Command('bench')
  .description('Compares Twofold, under both isolations, with dockerd and podman: start, exec and memory, in one run on this machine.')
  .option('--runs <n>', 'measurements of each work', positive, 15)
  .option('--containers <n>', 'containers alive while memory is measured', positive, 5)
  .option('--burst <n>', 'containers started at once', positive, 20)
  .option('--stream <mebibytes>', 'size of the output that is streamed', positive, 1024)
  .option('--image <name>', 'image, from Twofold\'s store', 'nanoserver')
  .option('--json <file>', 'write the results there')
  .option('--plot <file>', 'draw the results there, as SVG')
  .parse()
  .opts<{ runs: number; containers: number; burst: number; stream: number; image: string; json?: string; plot?: string }>();

const REFERENCE = 'dockerd + runc';
// Short: a socket's path has room for 107 bytes.
const directory = await mkdtemp(join(tmpdir(), 'tfb-'));
await using undo = new AsyncDisposableStack();
undo.defer(() => rm(directory, { recursive: true, force: true }));

const tell = (line: string): void => { process.stderr.write(`${line}\n`); };
tell('starting twofoldd …');
const twofold = undo.use(await startTwofold(join(directory, 't')));
const archive = join(directory, 'image.tar');
await run(twofold.byIsolation.process, ['save', '--output', archive, options.image]);

const peers: Peer[] = [];
const missing: MissingPeer[] = [];
for (const [name, start] of [[REFERENCE, startDockerd], ['podman + crun', startPodman]] as const) {
  tell(`starting ${name} …`);
  try {
    const peer = undo.use(await start(join(directory, name.split(' ')[0]!)));
    await run(peer, ['load', '--input', archive]);
    await run(peer, ['run', '--rm', options.image, 'true']);
    peers.push(peer);
  } catch (error) {
    missing.push({ name, why: (error as Error).message });
  }
}
peers.push(twofold.byIsolation.process, twofold.byIsolation.hyperv);

const rows: Row[] = [];
for (const peer of peers) {
  tell(`measuring ${peer.name} …`);
  rows.push({ work: 'run --rm IMAGE true', unit: 'ms', peer: peer.name, summary: summarise(await startTimes(peer, options.image, options.runs)) });
  rows.push({ work: 'exec C true', unit: 'ms', peer: peer.name, summary: summarise(await execTimes(peer, options.image, options.runs)) });
  const memory = await memoryPerContainer(peer, options.image, options.containers);
  rows.push({ work: 'memory per sleeping container', unit: 'MiB', peer: peer.name, summary: summarise([memory.total]), parts: memory.byName });
}
// Side effects on the machine are largest here, so these come last; under emulation a VM's stream is measured by a sixteenth.
for (const peer of peers) {
  tell(`measuring ${peer.name}: ${options.burst} at once, and a stream …`);
  rows.push({ work: `${options.burst} at once, until all answer`, unit: 'ms', peer: peer.name, summary: summarise([await burst(peer, options.image, options.burst)]) });
  const mebibytes = peer === twofold.byIsolation.hyperv ? Math.max(1, Math.floor(options.stream / 16)) : options.stream;
  rows.push({ work: 'stream to standard output', unit: 'MiB/s', peer: peer.name, summary: summarise([await throughput(peer, options.image, mebibytes)]) });
}
rows.sort((a, b) => a.work.localeCompare(b.work));

// docker's own type of `info` has no field for it but this one.
const status = JSON.parse((await run(twofold.byIsolation.process, ['info', '--format', '{{json .DriverStatus}}'])).stdout) as [string, string][];
const results = {
  machine: describeMachine(),
  accelerator: Object.fromEntries(status)['Accelerator'] ?? 'unknown',
  versions: Object.fromEntries(peers.map((peer) => [peer.name, peer.version])),
  missing,
  rows,
};
if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(results, null, 2)}\n`);
if (options.plot !== undefined) await writeFile(options.plot, plot(results, REFERENCE));
process.stdout.write(`${render(results, REFERENCE)}\n`);
