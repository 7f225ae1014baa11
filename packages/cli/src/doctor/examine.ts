// Owns the doctor's round: set-up's steps first, then host, runtime and daemon. Changes nothing.

import { isTwofoldError } from '@twofold/contract';
import { othersThan } from '@twofold/daemon/instances.ts';
import { ask, ping } from '../daemon/ask.ts';
import { currentVersion } from '../setup/app/place.ts';
import { emulationNotice, readAccelerator } from '../setup/steps/accelerator.ts';
import { steps } from '../setup/steps.ts';
import type { Context, Step } from '../setup/step.ts';
import { fine, type Examination, type Finding } from './finding.ts';
import {
  examineCgroups,
  examineFileSystems,
  examineKvm,
  examineLimits,
  examineLost,
  examineNetwork,
  examineRights,
  examineSpace,
  examineUserNames,
} from './host.ts';
import { examineRuntime } from './runtime.ts';

const ofStep =
  (step: Step): Examination =>
  async (context) => {
    const found = await step.check(context);
    return found.there
      ? fine(step.name, found.detail)
      : {
          name: step.name,
          state: step.optional === true ? 'warning' : 'missing',
          found: found.detail,
          meaning: step.purpose,
          mend: `twofold setup; by hand: ${step.byHand}`,
        };
  };

const examineEmulation: Examination = async ({ places }) => {
  const answer = await readAccelerator(places.libRoot);
  if (answer?.accelerator !== 'tcg')
    return fine('boundary', answer === null ? 'not known before set-up' : 'hardware virtualisation');
  return {
    name: 'boundary',
    state: 'warning',
    found: `software emulation, since ${answer.reason}`,
    meaning: emulationNotice,
    mend: 'make KVM work, then twofold setup; --allow-emulation=false makes the daemon refuse Hyper-V containers until then',
  };
};

const examineDaemon: Examination = async ({ places }) => {
  const version = await ping(places.socket);
  if (version !== null) {
    const found = `answers on ${places.socket}${version === '' ? '' : ` (API ${version})`}`;
    const [runs, installed] = await Promise.all([buildOf(places.socket), currentVersion(places.libRoot)]);
    if (runs === installed || installed === null) return fine('daemon', found);
    return {
      name: 'daemon',
      state: 'warning',
      found: `${found}; it runs ${runs === '' ? 'an unknown build' : runs}, but ${installed} is installed`,
      meaning: 'What set-up has installed since the daemon started is not in use yet.',
      mend: 'sudo twofold down, then sudo twofold up; containers keep running',
    };
  }
  return {
    name: 'daemon',
    state: 'warning',
    found: `nothing answers on ${places.socket}`,
    meaning: 'Commands that need the daemon fail; containers that were running still run.',
    mend: 'sudo twofold up',
  };
};

/** Which build of Twofold answers there. */
async function buildOf(socket: string): Promise<string> {
  const answer = await ask(socket, 'GET', '/version', 2_000);
  return answer?.status === 200 ? String((JSON.parse(answer.body) as { GitCommit?: string }).GitCommit ?? '') : '';
}

const examineOthers: Examination = async ({ places }) => {
  const others = othersThan(places).map(({ instance, dataRoot }) =>
    instance === null ? dataRoot : `instance ${instance} (${dataRoot})`,
  );
  return fine('other daemons', others.length === 0 ? 'none' : others.join(', '));
};

const examineNode: Examination = async () => fine('node', process.version);

/** What the doctor found, in the order of the report. One that fails says so and does not hide the others. */
export async function examine(context: Context): Promise<Finding[]> {
  const round: readonly (readonly [string, Examination])[] = [
    ['root', examineRights],
    ['node', examineNode],
    ...steps.map((step) => [step.name, ofStep(step)] as const),
    ['boundary', examineEmulation],
    ['kvm', examineKvm],
    ['runtime', examineRuntime],
    ['cgroups', examineCgroups],
    ['file systems', examineFileSystems],
    ['network', examineNetwork],
    ['limits', examineLimits],
    ['user names', examineUserNames],
    ['disk', examineSpace],
    ['lost+found', examineLost],
    ['daemon', examineDaemon],
    ['other daemons', examineOthers],
  ];
  return Promise.all(
    round.map(async ([name, examination]) =>
      examination(context).catch((error: unknown): Finding => ({
        name,
        state: 'missing',
        found: isTwofoldError(error) ? error.message : String(error),
        meaning: 'It could not be examined.',
        mend: 'twofold setup',
      })),
    ),
  );
}
