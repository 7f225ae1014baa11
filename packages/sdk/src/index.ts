export type * from './answers.ts';
export {
  type Cancellable,
  Containers,
  type ExitStatus,
  type RunSession,
  type StartStep,
  type WaitCondition,
} from './containers.ts';
export { isNotFound, TwofoldApiError } from './error.ts';
export { type ExecOptions, Execs, type ExecSession } from './execs.ts';
export type { Filters } from './filters.ts';
export { Images } from './images.ts';
export { Networks, type NewNetwork } from './networks.ts';
export { type OutputChunk, Session } from './session.ts';
export { Twofold } from './twofold.ts';
