// Holds native/common/wire.h to the numbers of packages/contract/src/wire.ts: two hand-written lists that must never
// differ.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  FrameType,
  HEADER_BYTES,
  LINK_WINDOW_BYTES,
  MAX_GROUPS,
  MAX_CHUNK_BYTES,
  MAX_PAYLOAD_BYTES,
  PROTOCOL_VERSION,
  Tag,
} from '@twofold/contract';

const header = readFileSync(join(import.meta.dirname, '../../native/common/wire.h'), 'utf8');

/** Names and values of one of the header's enumerations, without the prefix. */
function enumeration(opening: RegExp, prefix: string): Record<string, number> {
  const body = opening.exec(header)?.[1] ?? assert.fail(`wire.h has no ${opening.source}`);
  let next = 0;
  return Object.fromEntries(
    body
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '')
      .map((entry) => {
        const [name = '', value] = entry.split('=').map((word) => word.trim());
        const number =
          value === undefined
            ? next
            : Number(
                value
                  .split('<<')
                  .map(Number)
                  .reduce((left, right) => left << right),
              );
        next = number + 1;
        return [name.slice(prefix.length), number];
      }),
  );
}

test('frames and tags have the same numbers in C and in TypeScript', () => {
  assert.deepEqual(sorted(enumeration(/enum frame_type \{([^}]*)\}/, 'FRAME_')), sorted(FrameType));
  assert.deepEqual(sorted(enumeration(/enum tag \{([^}]*)\}/, 'TAG_')), sorted(Tag));
});

test('the limits are the same on both sides', () => {
  const {
    HEADER_BYTES: bytes,
    MAX_PAYLOAD,
    MAX_CHUNK,
    LINK_WINDOW,
    MAX_GROUPS: groups,
    VERSION,
  } = enumeration(/enum \{([^}]*WIRE_HEADER_BYTES[^}]*)\}/, 'WIRE_');
  assert.deepEqual(
    [bytes, MAX_PAYLOAD, MAX_CHUNK, LINK_WINDOW, groups, VERSION],
    [HEADER_BYTES, MAX_PAYLOAD_BYTES, MAX_CHUNK_BYTES, LINK_WINDOW_BYTES, MAX_GROUPS, PROTOCOL_VERSION],
  );
});

const sorted = (numbers: Readonly<Record<string, number>>): [string, number][] =>
  Object.entries(numbers).sort(([, left], [, right]) => left - right);
