// Owns which command is legal in which state of a container, and where each event leads. Pure: does nothing, asks
// nobody.
//
//     created ─start▶ running ─exit▶ exited ─start▶ running
//                     running ⇄ paused ─exit▶ exited           (pause, unpause)
//                     running ─exit, policy▶ restarting ─start▶ running
//     created, exited, restarting ─start fails▶ the state before, with the error
//     any but running and paused ─remove▶ removing ─▶ (gone)     (forced: killed first)
//     any ─damage▶ dead

import type { ErrorCode } from '@twofold/contract';
import type { ContainerLife } from './engine.ts';

export type Command =
  | 'start'
  | 'stop'
  | 'kill'
  | 'pause'
  | 'unpause'
  | 'remove'
  | 'remove-forced'
  | 'exec'
  | 'attach'
  | 'resize'
  | 'convert'
  | 'change-files'
  | 'change-adapters';

export type Verdict =
  | { readonly is: 'accepted' }
  | { readonly is: 'refused'; readonly code: ErrorCode; readonly message: string };

const accepted: Verdict = { is: 'accepted' };
const refused = (code: ErrorCode, message: string): Verdict => ({ is: 'refused', code, message });

/** Whether `command` may be done now; the messages are Docker's where Docker has the word. */
export function judge(command: Command, life: ContainerLife, who: { id: string; name: string }): Verdict {
  if (life.at === 'removing') {
    if (command === 'remove' || command === 'remove-forced')
      return refused('conflict', `removal of container ${who.id} is already in progress`);
    return refused('conflict', `container ${who.id} is marked for removal and cannot be used`);
  }
  if (life.at === 'dead' && command !== 'remove' && command !== 'remove-forced')
    return refused('conflict', `container ${who.id} is damaged and can only be removed: ${life.error}`);
  const runs = life.at === 'running' || life.at === 'paused';
  switch (command) {
    case 'start':
      if (life.at === 'paused')
        return refused('container-paused', 'cannot start a paused container, try unpause instead');
      return runs || life.at === 'restarting'
        ? refused('already-in-that-state', `container ${who.id} is already running`)
        : accepted;
    case 'stop':
      return runs || life.at === 'restarting'
        ? accepted
        : refused('already-in-that-state', `container ${who.id} is not running`);
    case 'kill':
      return runs || life.at === 'restarting'
        ? accepted
        : refused('container-not-running', `cannot kill container: ${who.name}: container ${who.id} is not running`);
    case 'pause':
      if (life.at === 'paused') return refused('conflict', `container ${who.id} is already paused`);
      return life.at === 'running' ? accepted : refused('container-not-running', `container ${who.id} is not running`);
    case 'unpause':
      return life.at === 'paused' ? accepted : refused('conflict', `container ${who.id} is not paused`);
    case 'remove':
      if (life.at === 'paused')
        return refused(
          'container-running',
          `cannot remove container "/${who.name}": container is paused and must be unpaused first`,
        );
      if (runs)
        return refused(
          'container-running',
          `cannot remove container "/${who.name}": container is running: stop the container before removing or force remove`,
        );
      return life.at === 'restarting'
        ? refused(
            'container-running',
            `cannot remove container "/${who.name}": container is restarting: stop the container before removing or force remove`,
          )
        : accepted;
    case 'remove-forced':
      return accepted;
    case 'exec':
      if (life.at === 'paused')
        return refused('container-paused', `container ${who.id} is paused, unpause the container before exec`);
      return life.at === 'running' ? accepted : refused('container-not-running', `container ${who.id} is not running`);
    case 'attach':
      return life.at === 'paused'
        ? refused('container-paused', 'container is paused, unpause the container before attach')
        : accepted;
    case 'resize':
      return runs ? accepted : refused('container-not-running', `container ${who.id} is not running`);
    case 'convert':
      return runs || life.at === 'restarting'
        ? refused('container-running', `container ${who.name} is running: stop it before converting it`)
        : accepted;
    case 'change-files':
      return accepted;
    case 'change-adapters':
      return runs || life.at === 'restarting'
        ? refused(
            'not-implemented',
            `Twofold does not have this yet: changing network adapters of a running container; stop ${who.name} first.`,
          )
        : accepted;
  }
  return command satisfies never;
}

export type LifeEvent =
  | { readonly kind: 'started'; readonly pid: number; readonly at: number }
  | { readonly kind: 'start-failed'; readonly exitCode: number; readonly error: string; readonly at: number }
  | {
      readonly kind: 'exited';
      readonly exitCode: number;
      readonly oomKilled: boolean;
      readonly at: number;
      readonly error: string;
      readonly restarts: boolean;
    }
  | { readonly kind: 'restart-given-up' }
  | { readonly kind: 'paused' }
  | { readonly kind: 'resumed' }
  | { readonly kind: 'removal-began' }
  | { readonly kind: 'damaged'; readonly error: string };

/**
 * Where `event` leads. An event that cannot happen in a state leaves it as it is: it is late, and what it tells is
 * known.
 */
export function after(life: ContainerLife, event: LifeEvent): ContainerLife {
  const runs = life.at === 'running' || life.at === 'paused';
  if (life.at === 'removing' || (life.at === 'dead' && event.kind !== 'removal-began')) return life;
  switch (event.kind) {
    case 'started':
      return runs ? life : { at: 'running', pid: event.pid, startedAt: event.at };
    case 'start-failed':
      if (runs) return life;
      if (life.at === 'created') return { at: 'created', error: event.error, exitCode: event.exitCode };
      return {
        at: 'exited',
        startedAt: 'startedAt' in life ? life.startedAt : event.at,
        finishedAt: event.at,
        exitCode: event.exitCode,
        oomKilled: false,
        error: event.error,
      };
    case 'exited':
      if (!runs) return life;
      if (event.restarts)
        return { at: 'restarting', startedAt: life.startedAt, finishedAt: event.at, exitCode: event.exitCode };
      return {
        at: 'exited',
        startedAt: life.startedAt,
        finishedAt: event.at,
        exitCode: event.exitCode,
        oomKilled: event.oomKilled,
        error: event.error,
      };
    case 'restart-given-up':
      return life.at === 'restarting'
        ? {
            at: 'exited',
            startedAt: life.startedAt,
            finishedAt: life.finishedAt,
            exitCode: life.exitCode,
            oomKilled: false,
            error: '',
          }
        : life;
    case 'paused':
      return life.at === 'running' ? { ...life, at: 'paused' } : life;
    case 'resumed':
      return life.at === 'paused' ? { ...life, at: 'running' } : life;
    case 'removal-began':
      return runs ? life : { at: 'removing' };
    case 'damaged':
      return { at: 'dead', error: event.error };
  }
  return event satisfies never;
}

/** Exit code that `wait` and `inspect` show. */
export function exitCodeOf(life: ContainerLife): number {
  return 'exitCode' in life ? (life.exitCode ?? 0) : 0;
}

export const isUp = (life: ContainerLife): life is Extract<ContainerLife, { at: 'running' | 'paused' }> =>
  life.at === 'running' || life.at === 'paused';
