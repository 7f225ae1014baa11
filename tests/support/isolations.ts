// Owns running the same sentence under both isolations.

import type { Isolation } from '@twofold/contract';

export const isolations: readonly Isolation[] = ['process', 'hyperv'];
