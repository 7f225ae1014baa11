// Owns the demo's story: one image under both isolations, what differs and what doesn't, and a conversion there and
// back. Everything told is read from the running system while it is told; a step that does not hold ends the demo with
// an error.

import { release } from 'node:os';
import { TwofoldError, type Isolation } from '@twofold/contract';
import type { Twofold } from '@twofold/sdk';
import { chapter, command, compare, say } from './narrator.ts';
import { processesMarked } from './host-view.ts';

const image = 'nanoserver';
const isolations: readonly Isolation[] = ['process', 'hyperv'];
const nameOf = (isolation: Isolation): string => `demo-${isolation}`;
const converted = 'demo-converted';

/** What a command in a container writes. Throws `internal` when it fails: the demo shows what works, or stops. */
async function inside(twofold: Twofold, container: string, words: readonly string[]): Promise<string> {
  await using exec = await twofold.containers.exec(container, { command: words });
  let text = '';
  for await (const { data } of exec.session.output) text += data.toString();
  const code = await exec.exitCode();
  if (code !== 0)
    throw new TwofoldError('internal', `${words.join(' ')} in ${container} ended with ${code}: ${text.trim()}`);
  return text.trim();
}

function hold(condition: boolean, sentence: string): void {
  if (!condition) throw new TwofoldError('internal', `The demo expected that ${sentence}.`);
}

/** Removes what the demo made, also what an earlier one that was cut off left. */
async function clear(twofold: Twofold): Promise<void> {
  const names = [...isolations.map(nameOf), converted];
  const known = await twofold.containers.list({ all: true });
  for (const { Id, Names } of known)
    if (names.includes(Names[0]!.slice(1))) await twofold.containers.remove(Id, { force: true });
}

/** Tells the story to its end. The daemon's containers of other names are not touched. */
export async function show(twofold: Twofold): Promise<void> {
  await clear(twofold);
  try {
    await startBoth(twofold);
    await sameInside(twofold);
    await seenFromHost(twofold);
    await convertThereAndBack(twofold);
  } finally {
    await clear(twofold);
  }
}

async function startBoth(twofold: Twofold): Promise<void> {
  chapter('One image, two isolations: only one word differs');
  for (const isolation of isolations) {
    command(`docker run -d --isolation=${isolation} --name ${nameOf(isolation)} ${image} sleep 3600`);
    const began = performance.now();
    const { id } = await twofold.containers.create({
      Image: image,
      name: nameOf(isolation),
      Cmd: ['sleep', '3600'],
      Env: [`TWOFOLD_DEMO=${isolation}`],
      HostConfig: { Isolation: isolation },
    });
    await twofold.containers.start(id);
    say(`${id.slice(0, 12)}, running after ${((performance.now() - began) / 1000).toFixed(2)} s`);
  }
}

async function sameInside(twofold: Twofold): Promise<void> {
  chapter('What is the same, and what is not');
  const both = (words: readonly string[]): Promise<[string, string]> =>
    Promise.all([inside(twofold, nameOf('process'), words), inside(twofold, nameOf('hyperv'), words)]) as Promise<
      [string, string]
    >;
  compare('', 'process', 'hyperv');
  compare('user inside', ...(await both(['id', '-un'])));
  compare('process 1 inside', ...(await both(['cat', '/proc/1/comm'])));
  compare('files of /', ...(await both(['sh', '-c', 'ls / | md5sum | cut -c1-12'])));
  compare('address', ...(await both(['sh', '-c', 'hostname -i | cut -d" " -f1'])));
  const kernels = await both(['uname', '-r']);
  compare('kernel release', ...kernels);
  say(`The host's own kernel is ${release()}: the process container shares it, the Hyper-V container has its own.`);
  hold(kernels[0] === release(), "the process container runs on the host's kernel");
  hold(kernels[1] !== release(), 'the Hyper-V container runs on its own kernel');
}

async function seenFromHost(twofold: Twofold): Promise<void> {
  chapter('What the host sees');
  const [own, foreign] = isolations.map((isolation) => processesMarked(isolation)) as [
    ReturnType<typeof processesMarked>,
    ReturnType<typeof processesMarked>,
  ];
  for (const { pid, name } of own) say(`process: the host lists ${name} as process ${pid}`);
  say(
    foreign.length === 0
      ? 'hyperv:  the host lists none of its processes …'
      : `hyperv:  the host lists ${foreign.length} of its processes`,
  );
  hold(
    own.some(({ name }) => name === 'csrss'),
    'the host sees the session process of the process container',
  );
  hold(foreign.length === 0, 'the host sees no process of the Hyper-V container');
  const { Id } = await twofold.containers.inspect(nameOf('hyperv'));
  const worker = (await twofold.compute()).find(({ Name }) => Name === nameOf('hyperv'));
  if (worker === undefined) throw new TwofoldError('internal', 'The Hyper-V container has no worker process.');
  say(
    `         … but one worker, vmwp, process ${worker.Pid}, whose user is named after the container: ${worker.User}`,
  );
  hold(worker.User === Id.slice(0, 32), "the worker's user is named after the container's GUID");
  command('twofold compute');
}

async function convertThereAndBack(twofold: Twofold): Promise<void> {
  chapter('A container changes its isolation and keeps its data, there and back');
  const { id } = await twofold.containers.create({ Image: image, name: converted, Cmd: ['sleep', '3600'] });
  await twofold.containers.start(id);
  await inside(twofold, id, [
    'sh',
    '-c',
    'echo written under process isolation > /root/notes; chmod 640 /root/notes; rm /etc/issue 2>/dev/null; mkdir /data',
  ]);
  say(`kernel ${await inside(twofold, id, ['uname', '-r'])}; it writes /root/notes and /data`);
  const first = (await twofold.containers.inspect(id)).Twofold.Isolation;
  const other: Isolation = first === 'process' ? 'hyperv' : 'process';
  for (const to of [other, first]) {
    command(`docker stop ${converted} && twofold convert ${converted} --isolation ${to} && docker start ${converted}`);
    await twofold.containers.stop(id, { timeoutSeconds: 2 });
    await twofold.containers.convert(id, to);
    await twofold.containers.start(id);
    say(
      `now ${to}: kernel ${await inside(twofold, id, ['uname', '-r'])}, and /root/notes says "${await inside(twofold, id, ['cat', '/root/notes'])}"`,
    );
    hold(
      (await inside(twofold, id, ['sh', '-c', 'stat -c %a /root/notes; ls -d /data'])) === '640\n/data',
      'modes and directories are kept',
    );
    await inside(twofold, id, ['sh', '-c', `echo and under ${to} isolation >> /root/notes`]);
  }
}
