// Owns the writing of Docker's filters.

export type Filters = Readonly<Record<string, string | readonly string[] | undefined>>;

/** `{"status":["running"]}`; undefined when there are none. */
export function filtersText(filters: Filters | undefined): string | undefined {
  const entries = Object.entries(filters ?? {})
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => [name, typeof value === 'string' ? [value] : value] as const);
  return entries.length === 0 ? undefined : JSON.stringify(Object.fromEntries(entries));
}
