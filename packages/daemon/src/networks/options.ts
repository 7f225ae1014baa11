// Owns the words of `docker network create -o` that are carried out, and what they mean. Pure. What is not here is
// refused by its name.

import { TwofoldError } from '@twofold/contract';

const mtuWord = 'com.docker.network.driver.mtu';
const smallestMtu = 576;
const largestMtu = 65_535;

/** Words of Docker's bridge driver that say what is the case anyway. */
const granted: Readonly<Record<string, string>> = {
  'com.docker.network.bridge.default_bridge': 'false',
  'com.docker.network.bridge.enable_icc': 'true',
  'com.docker.network.bridge.enable_ip_masquerade': 'true',
};

/** Throws `not-implemented` for a word that isn't carried out, `invalid-argument` for a value that can't be. */
export function checkOptions(options: Readonly<Record<string, string>>): void {
  for (const [word, value] of Object.entries(options)) {
    if (word !== mtuWord && granted[word] !== value)
      throw new TwofoldError(
        'not-implemented',
        `Twofold does not have this yet: the network option ${word}=${value}.`.slice(0, 200),
      );
  }
  mtuOption(options);
}

/** Null where it was not given. */
export function mtuOption(options: Readonly<Record<string, string>>): number | null {
  const text = options[mtuWord];
  if (text === undefined) return null;
  const mtu = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (mtu < smallestMtu || mtu > largestMtu)
    throw new TwofoldError(
      'invalid-argument',
      `${text.slice(0, 40)} is not a valid MTU: use a number from ${smallestMtu} to ${largestMtu}.`,
    );
  return mtu;
}
