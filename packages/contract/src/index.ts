export * from './errors.ts';
export * from './ids.ts';
export * from './instance.ts';
export * from './signals.ts';
export type * from './api.ts';
export type * from './oci.ts';
export * from './printable.ts';
export * from './wire.ts';
