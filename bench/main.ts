// Owns the bench's course: the machine, the engines, the works that were asked for, and what is told of them. `npm run
// bench -- --help`.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { thisMachine } from '@twofold/daemon/drivers/hyperv/machine.ts';
import { holdMachine } from './alone.ts';
import { openHouse, type House } from './house.ts';
import { readOptions, workNames, type WorkName } from './options.ts';
import { plot } from './plot.ts';
import { describeMachine, render, type Results } from './report.ts';
import { inOrder, type Row } from './row.ts';
import { versionOf } from './run.ts';
import { settings } from './settings.ts';
import { measureAlive } from './works/alive.ts';
import { measureBurst } from './works/burst.ts';
import { measureDaemon } from './works/daemon.ts';
import { measureDensity } from './works/density.ts';
import { measureExec } from './works/exec.ts';
import { measureStart } from './works/start.ts';
import { measureStop } from './works/stop.ts';
import { measureStream } from './works/stream.ts';

const works: Readonly<Record<WorkName, (house: House) => Promise<Row[]>>> = {
  start: measureStart,
  exec: measureExec,
  burst: measureBurst,
  stream: measureStream,
  stop: measureStop,
  density: measureDensity,
  daemon: measureDaemon,
  alive: measureAlive,
};

async function measureAll(house: House): Promise<Row[]> {
  const rows: Row[] = [];
  for (const name of workNames.filter((each) => house.options.works.has(each))) {
    house.tell(`measuring ${name} …`);
    try {
      rows.push(...(await works[name](house)));
    } catch (error) {
      // An hour's other figures are worth telling.
      house.missing.push({ what: name, why: (error as Error).message });
    }
  }
  return rows;
}

const options = readOptions(process.argv.slice(2));
await using undo = new AsyncDisposableStack();
undo.use(await holdMachine());
const began = new Date().toISOString();
const machine = describeMachine();
const tell = (line: string): void => {
  process.stderr.write(`${line}\n`);
};
// Short: a socket's path has room for 107 bytes.
const directory = await mkdtemp(join(tmpdir(), 'tfb-'));
undo.defer(() => rm(directory, { recursive: true, force: true }));
// Whoever has enough of it finds nothing left behind: what is under way is left alone, and everything is disposed of.
const ended = Promise.withResolvers<never>();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => ended.reject(new Error(`Ended by ${signal}.`)));
const house = await Promise.race([openHouse(directory, options, undo, tell), ended.promise]);
const rows = await Promise.race([measureAll(house), ended.promise]);

const { twofold, peers, missing } = house;
const { works: measured, json, plot: picture, ...bench } = options;
const results: Results = {
  began,
  machine,
  missing,
  rows: inOrder(rows),
  accelerator: (await twofold.client.info()).Twofold.Accelerator,
  settings: {
    daemon: settings.join(' '),
    worker: twofold.words.summary,
    bench: [[...measured].join(' '), ...Object.entries(bench).map(([name, value]) => `${name} ${value}`)].join(', '),
  },
  versions: {
    'docker CLI': await versionOf('docker'),
    QEMU: await versionOf(thisMachine().qemu),
    ...Object.fromEntries(peers.map(({ name, version }) => [name, version])),
  },
};
if (json !== undefined) await writeFile(json, `${JSON.stringify(results, null, 2)}\n`);
if (picture !== undefined) await writeFile(picture, plot(results));
process.stdout.write(`${render(results)}\n`);
if (missing.length > 0) process.exitCode = 1;
