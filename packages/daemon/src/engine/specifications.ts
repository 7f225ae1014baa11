// Owns the specifications of what runs on real kernels: containers/spec/ with the facts of the kernel that each
// isolation has.

import { TwofoldError, newId, type ContainerId, type Isolation, type OciSpec } from '@twofold/contract';
import { buildSpec, checkSettings, containerHostname } from './containers/spec/build.ts';
import { execProcess } from './containers/spec/exec.ts';
import type { HostFacts } from './containers/spec/host-facts.ts';
import type { Specifications } from './room.ts';

/** `facts` has an entry for every isolation that this machine has. */
export function createSpecifications(facts: ReadonlyMap<Isolation, HostFacts>): Specifications {
  const of = (isolation: Isolation): HostFacts => {
    const found = facts.get(isolation);
    if (found === undefined)
      throw new TwofoldError('unsupported', `Nothing is known about the kernel of ${isolation} containers.`);
    return found;
  };
  return {
    check: (subject) => checkSettings(subject, of(subject.isolation)),
    container: (record, user) => buildSpec(record, user, of(record.isolation)),
    exec: (record, request, user) =>
      execProcess(record, containerHostname(record), request, user, of(record.isolation)),
  };
}

/** The specification of a container that asks for nothing special: drivers rehearse with it. */
export function ordinarySpecification(isolation: Isolation, facts: HostFacts): OciSpec {
  return buildSpec(
    { id: newId<ContainerId>(), isolation, config: { Cmd: ['true'] }, hostConfig: {} },
    { uid: 0, gid: 0, groups: [], home: '/root' },
    facts,
  );
}
