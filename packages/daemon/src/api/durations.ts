// Owns Docker's words for spans of time and for what a container is doing ("Up 3 seconds"). Pure; the present is given.

import type { ContainerLife } from '../engine/engine.ts';

/** go-units' HumanDuration, which every client's users know. */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.floor(seconds / 60);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.floor(seconds / 3600 + 0.5);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(hours / 24 / 365)} years`;
}

/** The STATUS column of `docker ps`. */
export function statusText(life: ContainerLife, now: number): string {
  switch (life.at) {
    case 'created':
      return 'Created';
    case 'running':
      return `Up ${humanDuration(now - life.startedAt)}`;
    case 'paused':
      return `Up ${humanDuration(now - life.startedAt)} (Paused)`;
    case 'restarting':
      return `Restarting (${life.exitCode}) ${humanDuration(now - life.finishedAt)} ago`;
    case 'exited':
      return `Exited (${life.exitCode}) ${humanDuration(now - life.finishedAt)} ago`;
    case 'removing':
      return 'Removal In Progress';
    case 'dead':
      return 'Dead';
    default:
      return life satisfies never;
  }
}
