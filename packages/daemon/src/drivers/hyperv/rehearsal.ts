// Owns what a VM does once before it belongs to anybody: an ordinary container's whole life, with programs of ours, a
// network that leads nowhere and disks that are taken back. Under emulation code is slow the first time it runs; and
// what the kernel sets up once is set up in the template. Leaves nothing in the guest that a container could find.

import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  FrameType,
  Tag,
  TlvWriter,
  newId,
  type ContainerId,
  type ExecId,
  type OciSpec,
  type SandboxId,
} from '@twofold/contract';
import type { SupervisorConnection } from '../../host/supervisor-connection.ts';
import { writeProcess } from '../process-part.ts';
import { attachThrough, networkRequest, target } from '../supervised.ts';
import { prepareContainer, startProcess, takeBackContainer } from './container.ts';
import { containerCgroup } from './places.ts';
import { withTime } from './sandbox.ts';

/** Made by set-up: a layer with the two programs that are run here. */
const program = ['/csrss', '/cmd'];
const executed = ['/cmd', '/c', 'ver'];
/** RFC 5737: nobody's. */
const nowhere = { addresses: ['192.0.2.2/24'], gateway: '192.0.2.1' };
const mtu = 1500;
/** native/common/netif.c. */
const leaveDown = 1;

export interface Rehearsal {
  /** The layer's file. */
  readonly layer: string;
  /** Of a container that asks for nothing special. */
  readonly spec: OciSpec;
  /** Its compiled seccomp profile. */
  readonly filter: Buffer | null;
}

/** `directory` is the sandbox's, `mac` the adapter's. */
export async function rehearse(
  connection: SupervisorConnection,
  directory: string,
  mac: string,
  { layer, spec, filter }: Rehearsal,
  signal: AbortSignal,
): Promise<void> {
  const id = newId<ContainerId>();
  const ref = { sandbox: id as string as SandboxId, container: id };
  const writableDirectory = join(directory, 'rehearsal');
  const file = join(writableDirectory, 'file');
  await mkdir(writableDirectory, { mode: 0o700 });
  await writeFile(file, 'waiting\n');
  try {
    await connection.request(
      FrameType.CONFIGURE,
      withTime(new TlvWriter().string(Tag.HOSTNAME, 'waiting').bytes(Tag.DATA, randomBytes(64))),
      signal,
    );
    const { exchange } = await prepareContainer(
      connection,
      {
        id,
        sandbox: ref.sandbox,
        rootfs: { layers: [{ path: layer, name: 'rehearsal' }], writableDirectory, readOnly: false },
        files: [{ path: '/etc/hostname', source: file, mode: 0o644 }],
        user: '',
        log: null,
      },
      null,
      signal,
    );
    await connection.request(
      FrameType.NETWORK,
      networkRequest([{ name: 'eth0', hostName: '', mac, mtu, ...nowhere }]),
      signal,
    );
    await using streams = await attachThrough(connection, ref, { stdin: true, stdout: true, stderr: true }, signal);
    await startProcess(
      connection,
      ref,
      { ...spec, process: { ...spec.process, args: program, cwd: '/' } },
      { openStdin: true, stdinOnce: true },
      filter,
      signal,
    );
    const exec = target({ ...ref, exec: newId<ExecId>() });
    writeProcess(exec, { ...spec.process, args: executed, cwd: '/' }, filter);
    const beside = await connection.openStreams(FrameType.EXEC, exec, { stdin: false, output: true }, signal);
    await drained(beside.streams);
    streams.stdin!.end('ver\r\n');
    await drained(streams);
    await takeBackContainer(connection, ref, exchange, signal);
    await connection.request(
      FrameType.NETWORK,
      new TlvWriter().list(Tag.INTERFACE, (list) => list.string(Tag.NAME, 'eth0').number(Tag.FLAGS, leaveDown)),
      signal,
    );
    await connection.request(FrameType.CONFIGURE, new TlvWriter().string(Tag.CGROUP, containerCgroup), signal);
  } finally {
    await rm(writableDirectory, { recursive: true, force: true });
  }
}

async function drained(streams: {
  readonly output: AsyncIterable<unknown>;
  readonly exit: Promise<unknown>;
}): Promise<void> {
  for await (const _ of streams.output);
  await streams.exit;
}
