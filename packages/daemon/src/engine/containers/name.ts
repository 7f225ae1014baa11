// Owns containers' names: what may be one, and made-up ones in Docker's fashion (`quiet_otter`). Does not know which are taken.

import { TwofoldError } from '@twofold/contract';

const allowed = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** The name without its leading slash; throws `invalid-argument` with Docker's words. */
export function checkName(name: string): string {
  const bare = name.replace(/^\//, '');
  if (!allowed.test(bare)) throw new TwofoldError('invalid-argument', `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
  return bare;
}

const manners = ['amber', 'bold', 'brisk', 'calm', 'candid', 'clever', 'cosy', 'crisp', 'deft', 'eager', 'early', 'fair', 'fleet', 'frank', 'gentle', 'glad', 'golden', 'hardy', 'hushed', 'jolly', 'keen', 'kind', 'late', 'light', 'lively', 'lucid', 'mellow', 'merry', 'mild', 'modest', 'neat', 'nimble', 'noble', 'patient', 'plain', 'plucky', 'polite', 'proud', 'quick', 'quiet', 'rapid', 'ready', 'rustic', 'silent', 'sincere', 'sleek', 'snug', 'sober', 'spry', 'steady', 'still', 'sunny', 'sure', 'swift', 'tidy', 'trusty', 'upbeat', 'vivid', 'warm', 'wise', 'witty', 'zesty'];
const beasts = ['badger', 'beaver', 'bison', 'bittern', 'bunting', 'carp', 'cormorant', 'crane', 'curlew', 'dipper', 'dormouse', 'dove', 'duck', 'eider', 'elk', 'falcon', 'finch', 'fox', 'gannet', 'gecko', 'goshawk', 'grebe', 'grouse', 'hare', 'harrier', 'heron', 'hoopoe', 'ibex', 'jackdaw', 'jay', 'kestrel', 'kingfisher', 'kite', 'lapwing', 'lark', 'linnet', 'lynx', 'magpie', 'marten', 'mole', 'newt', 'nuthatch', 'osprey', 'otter', 'ouzel', 'owl', 'perch', 'pike', 'pipit', 'plover', 'puffin', 'quail', 'raven', 'robin', 'rook', 'salmon', 'seal', 'shrew', 'siskin', 'snipe', 'sparrow', 'stoat', 'stork', 'swallow', 'swan', 'swift', 'tern', 'thrush', 'toad', 'trout', 'vole', 'wagtail', 'warbler', 'weasel', 'whimbrel', 'wren'];

/** A name that `taken` denies. After some tries a number is added, so that this ends. */
export function makeUpName(taken: (name: string) => boolean, random: () => number = Math.random): string {
  const pick = (words: readonly string[]) => words[Math.floor(random() * words.length)]!;
  for (let tries = 0; ; tries++) {
    const name = `${pick(manners)}_${pick(beasts)}${tries < 6 ? '' : tries}`;
    if (!taken(name)) return name;
  }
}
