// Owns how JSON is read into a schema's shape: as Go's encoding/json reads it into a structure, for all clients of
// Docker's API were written against that. Keys in any case, of several the last; null for what was not set; and Go's
// own message for a value of another type. What values may be is the schema's. Pure.

import { TwofoldError } from '@twofold/contract';
import * as v from 'valibot';

/** What reading needs to know beyond the schema itself (`v.metadata`). Its `v.title` is the structure's name in Go. */
export interface Reading {
  /** A loose object whose known keys are those of another schema, by which they are checked later. */
  readonly readAs?: v.GenericSchema;
  /** Further keys of a loose object that are found in any case; their values are taken as they are. */
  readonly words?: readonly string[];
}

/** The parts of valibot's schemas that are looked at. */
interface Shape {
  readonly type: string;
  readonly wrapped?: Shape;
  readonly item?: Shape;
  readonly items?: readonly Shape[];
  readonly value?: Shape;
  readonly options?: readonly unknown[];
  readonly entries?: Readonly<Record<string, Shape>>;
}

/** Where a value stands, for messages: the innermost structure with a name, and the fields on the way. */
interface Place {
  readonly structure: string;
  readonly fields: readonly string[];
}

/** `value` in the shape that `schema` expects, not yet checked against it. Throws `invalid-argument` in Go's words. */
export function readAs(schema: v.GenericSchema, value: unknown): unknown {
  const shape = schema as unknown as Shape;
  return value === null ? zero(shape) : fit(shape, value, { structure: '', fields: [] });
}

function fit(schema: Shape, value: unknown, at: Place): unknown {
  const shape = unwrapped(schema);
  switch (shape.type) {
    case 'string':
    case 'picklist':
      return typeof value === 'string' ? value.toWellFormed() : mismatch(shape, value, at);
    case 'boolean':
      return typeof value === 'boolean' ? value : mismatch(shape, value, at);
    case 'number':
      return fitNumber(shape, value, at);
    case 'array':
      return Array.isArray(value) ? value.map((item) => fitOrZero(shape.item!, item, at)) : mismatch(shape, value, at);
    case 'tuple':
      // An array of a fixed length: what is missing is zero, what is too much is dropped.
      return Array.isArray(value)
        ? shape.items!.map((item, index) => fitOrZero(item, value[index] ?? null, at))
        : mismatch(shape, value, at);
    case 'union':
      return fitWords(shape, value, at);
    case 'record':
      return isObject(value)
        ? fromEntries(Object.entries(value).map(([key, item]) => [key, fitOrZero(shape.value!, item, at)]))
        : mismatch(shape, value, at);
    case 'object':
    case 'loose_object':
    case 'strict_object':
      return isObject(value) ? fitStructure(shape, value, at) : mismatch(shape, value, at);
    default:
      return value; // unknown, never: the schema's affair
  }
}

const fitOrZero = (schema: Shape, value: unknown, at: Place): unknown =>
  value === null ? zero(schema) : fit(schema, value, at);

function fitNumber(shape: Shape, value: unknown, at: Place): number {
  if (typeof value !== 'number') return mismatch(shape, value, at);
  const fits = Number.isInteger(value) && Math.abs(value) < 2 ** 63 && (isSigned(shape) || value >= 0);
  return fits ? value : mismatch(shape, value, at, ` ${value}`);
}

/** Docker's `strslice.StrSlice`: a list of words, or one word. */
function fitWords(shape: Shape, value: unknown, at: Place): unknown {
  if (typeof value === 'string') return value.toWellFormed();
  if (!Array.isArray(value) || !value.every((word) => word === null || typeof word === 'string'))
    return mismatch(shape, value, at);
  return value.map((word: string | null) => (word ?? '').toWellFormed());
}

function fitStructure(shape: Shape, value: Readonly<Record<string, unknown>>, at: Place): unknown {
  const { entries, names } = keysOf(shape);
  const structure = nameOf(shape)?.replace(/^.*\./, '') ?? at.structure;
  const kept = new Map<string, unknown>();
  for (const [key, item] of Object.entries(value)) {
    const name = Object.hasOwn(entries, key) ? key : (names.get(folded(key)) ?? key);
    if (item === null) {
      kept.delete(name);
      continue;
    }
    const entry = Object.hasOwn(entries, name) ? entries[name]! : null;
    const read = entry === null ? item : fit(entry, item, { structure, fields: [...at.fields, name] });
    const before = kept.get(name);
    // Of a key that comes twice the last value counts; structures and maps are filled up by it.
    kept.set(name, entry !== null && isObject(before) && isObject(read) ? { ...before, ...read } : read);
  }
  return fromEntries([...kept]);
}

const known = new WeakMap<Shape, { entries: Readonly<Record<string, Shape>>; names: ReadonlyMap<string, string> }>();

function keysOf(shape: Shape) {
  const held = known.get(shape);
  if (held !== undefined) return held;
  const { readAs: other, words = [] } = v.getMetadata(shape as unknown as v.GenericSchema) as Reading;
  const entries = ((other as unknown as Shape | undefined) ?? shape).entries ?? {};
  const names = new Map([...words, ...Object.keys(entries)].map((name) => [folded(name), name]));
  const keys = { entries, names };
  known.set(shape, keys);
  return keys;
}

/** Go's folding: letters of ASCII, and the two others that fold onto them (ſ, K). */
const folded = (key: string): string => key.replaceAll('ſ', 's').toLowerCase();

function unwrapped(schema: Shape): Shape {
  let shape = schema;
  while (shape.wrapped !== undefined) shape = shape.wrapped;
  return shape;
}

function zero(schema: Shape): unknown {
  const shape = unwrapped(schema);
  switch (shape.type) {
    case 'string':
    case 'picklist':
      return '';
    case 'boolean':
      return false;
    case 'number':
      return 0;
    case 'array':
    case 'union':
      return [];
    case 'tuple':
      return shape.items!.map(zero);
    default:
      return {};
  }
}

function mismatch(shape: Shape, value: unknown, at: Place, literal = ''): never {
  const kind = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
  const field = `${at.structure}.${at.fields.join('.')}`;
  const into = at.fields.length === 0 ? 'Go value' : `Go struct field ${field.slice(0, 200)}`;
  throw new TwofoldError(
    'invalid-argument',
    `invalid JSON: json: cannot unmarshal ${kind}${literal} into ${into} of type ${typeName(shape)}`,
  );
}

/** The type as Go names it. */
function typeName(schema: Shape): string {
  const shape = unwrapped(schema);
  switch (shape.type) {
    case 'picklist':
    case 'union':
    case 'never':
      return 'string';
    case 'boolean':
      return 'bool';
    case 'number':
      return isSigned(shape) ? 'int64' : 'uint';
    case 'array':
      return `[]${typeName(shape.item!)}`;
    case 'tuple':
      return `[${shape.items!.length}]${typeName(shape.items![0]!)}`;
    case 'record':
      return `map[string]${typeName(shape.value!)}`;
    case 'string':
      return 'string';
    default:
      return nameOf(shape) ?? 'struct {}';
  }
}

/** Whole numbers have a pipe that says so; those without one are counts. */
const isSigned = (shape: Shape): boolean => 'pipe' in shape;

const nameOf = (shape: Shape): string | undefined => v.getTitle(shape as unknown as v.GenericSchema);

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Without `__proto__`, which is no key that anybody could mean well. */
function fromEntries(entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  return Object.fromEntries(entries.filter(([key]) => key !== '__proto__'));
}
