const keyOf = (name: string) => `hangar.form.${name}`;

/** What was typed before a reload; what is no field, or of another kind, is left. */
export function kept<V extends object>(name: string | undefined, initial: V): Partial<V> {
  if (name === undefined) return {};
  try {
    const found: unknown = JSON.parse(sessionStorage.getItem(keyOf(name)) ?? '{}');
    if (typeof found !== 'object' || found === null) return {};
    const fits = Object.entries(found).filter(
      ([field, value]) => Object.hasOwn(initial, field) && isLike(Reflect.get(initial, field), value),
    );
    return Object.fromEntries(fits) as Partial<V>;
  } catch {
    return {};
  }
}

/** An empty text may stand for a number or a list that nobody has given yet. */
function isLike(initial: unknown, value: unknown): boolean {
  if (Array.isArray(initial)) return Array.isArray(value) && value.every(isRow);
  if (Array.isArray(value)) return initial === '' && value.every((one) => typeof one === 'string');
  if (typeof initial === 'boolean') return typeof value === 'boolean';
  return typeof value === 'string' || typeof value === 'number';
}

const isRow = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  ['key', 'name', 'value'].every((part) => typeof Reflect.get(value, part) === 'string');

/** A secret is not kept; of rows of names and values, the names are. */
export function keep(name: string, values: object, secrets: readonly string[] = []): void {
  const open = Object.entries(values).flatMap(([field, value]) => {
    if (!secrets.includes(field)) return [[field, value]];
    return Array.isArray(value) ? [[field, value.map((row: object) => ({ ...row, value: '' }))]] : [];
  });
  try {
    sessionStorage.setItem(keyOf(name), JSON.stringify(Object.fromEntries(open)));
  } catch {
    // A full or forbidden store loses only the convenience.
  }
}

export function forget(name: string): void {
  try {
    sessionStorage.removeItem(keyOf(name));
  } catch {
    // As above.
  }
}
