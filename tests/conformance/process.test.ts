// Holds the process driver to the conformance suite.

import { after } from 'node:test';
import { processCandidate } from './process-candidate.ts';
import { conformance } from './suite.ts';

const candidate = processCandidate();

conformance(candidate);
after(() => candidate.remove());
