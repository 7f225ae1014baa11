// Owns the change of a container's restart policy and limits (docker update). What runs keeps its limits until its next
// start when its driver can't change them under way, and that is said.

import { availableParallelism } from 'node:os';
import { TwofoldError, type ContainerId, type HostConfig } from '@twofold/contract';
import { isUp } from '../lifecycle.ts';
import { publishContainer, type Room } from '../room.ts';
import { checkHostConfig } from './checks.ts';
import { machineFor } from './plan.ts';

const limits = [
  'Memory',
  'MemorySwap',
  'MemoryReservation',
  'NanoCpus',
  'CpuShares',
  'CpuPeriod',
  'CpuQuota',
  'CpusetCpus',
  'PidsLimit',
] as const satisfies readonly (keyof HostConfig)[];

/** See Containers.update. */
export function updateContainer(room: Room, id: ContainerId, change: Partial<HostConfig>): { warnings: string[] } {
  const record = room.records.need(id);
  if (record.life.at === 'removing' || record.life.at === 'dead')
    throw new TwofoldError('conflict', `Container is marked for removal and cannot be "update".`);
  // Docker's clients send every field; a zero means "leave it".
  const asked = Object.fromEntries(
    limits
      .filter(
        (name) =>
          change[name] !== undefined &&
          change[name] !== null &&
          change[name] !== 0 &&
          change[name] !== '' &&
          change[name] !== record.hostConfig[name],
      )
      .map((name) => [name, change[name]]),
  ) as Partial<HostConfig>;
  if (Object.keys(asked).length > 0 && isUp(record.life))
    throw new TwofoldError(
      'not-implemented',
      'Changing the limits of a running container is not implemented yet; stop it, update it, and start it again.',
    );
  const policy = change.RestartPolicy?.Name ? { RestartPolicy: change.RestartPolicy } : {};
  const hostConfig: HostConfig = { ...record.hostConfig, ...asked, ...policy };
  const warnings = checkHostConfig(record.config, hostConfig, availableParallelism());
  room.specifications.check({ ...record, hostConfig });
  room.together(() => {
    room.records.change(id, {
      hostConfig,
      ...(record.isolation === 'hyperv' ? { machine: machineFor(room.settings, hostConfig) } : {}),
    });
    publishContainer(room, record, 'update');
  });
  return { warnings };
}
