// Owns the group whose members may speak to the daemon.

import { runCommand } from '@twofold/daemon/host/command.ts';
import type { Step } from '../step.ts';

const name = 'twofold';

export const group: Step = {
  name: 'group',
  title: `Group ${name}`,
  purpose: `The socket belongs to it: its members use Twofold without sudo (which makes them as powerful as root).`,
  byHand: `groupadd --system ${name}`,
  inputs: async () => [name],
  async check() {
    const { exitCode } = await runCommand('look for the group', ['getent', 'group', name], { accept: [0, 2] });
    return exitCode === 0
      ? { there: true, detail: name }
      : { there: false, detail: `the group ${name} does not exist` };
  },
  mend: async () => void (await runCommand('make the group', ['groupadd', '--system', name], { accept: [0, 9] })),
};
