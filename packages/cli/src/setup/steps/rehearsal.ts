// Owns the layer with which utility VMs rehearse a container's start before they belong to one, as a step
// (drivers/hyperv/rehearsal.ts).

import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { tarEnd, tarHeader, tarPadding } from '@twofold/contract/tar-header.ts';
import { writeLayer } from '@twofold/daemon/host/layer-writer.ts';
import { layerReader } from '@twofold/daemon/host/own-program.ts';
import { libraryParts } from '../../places.ts';
import type { Step } from '../step.ts';

const programs = ['csrss', 'cmd'] as const;
/** What images have, so that nothing needs to be made in a writable layer. */
const directories = ['dev', 'etc', 'proc', 'sys'].map((name) => `${name}/`);

const contents = (libRoot: string): Promise<Buffer[]> =>
  Promise.all(
    programs.map((name) => readFile(join(libraryParts(libRoot).programs, name)).catch(() => Buffer.alloc(0))),
  );

export const rehearsal: Step = {
  name: 'rehearsal',
  title: 'Rehearsal of the utility VM',
  purpose: 'Lets utility VMs rehearse a start while they wait; without it Hyper-V containers start more slowly.',
  byHand: 'set-up builds it from csrss and cmd',
  inputs: async ({ places }) => [...directories, ...(await contents(places.libRoot))],
  async check({ places }) {
    const size = await stat(libraryParts(places.libRoot).rehearsal).then(
      (found) => found.size,
      () => 0,
    );
    return size > 0 ? { there: true, detail: `${Math.ceil(size / 1024)} KiB` } : { there: false, detail: 'not there' };
  },
  async mend({ places, signal }) {
    const files = (await contents(places.libRoot)).map((data, index) => [
      tarHeader({ path: programs[index]!, kind: 'file', mode: 0o755, size: data.length }),
      data,
      tarPadding(data.length),
    ]);
    const empty = directories.map((path) => tarHeader({ path, kind: 'directory', mode: 0o755 }));
    await writeLayer(Readable.from([...empty, ...files.flat(), tarEnd()]), libraryParts(places.libRoot).rehearsal, {
      cell: join(libraryParts(places.libRoot).programs, 'twofold-cell'),
      program: layerReader,
      form: 'private',
      signal,
    });
  },
};
