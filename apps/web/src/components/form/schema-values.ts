import { objectOf, type SchemaField, type Values } from './schema-model.ts';

/** The branch that is chosen. */
export const branchOf = (field: Extract<SchemaField, { kind: 'union' }>, values: Values) =>
  field.branches.find(({ value }) => value === values[field.name]) ??
  field.branches.find(({ value }) => value === field.fallback);

/** A row of a map as it is typed; `key` tells rows apart while their names change. */
export interface MapEntry {
  readonly key: string;
  readonly name: string;
  readonly value: string;
}

/** A thing as what stands in its fields. A secret that is known to be there stands in none: empty keeps it as it is. */
export function valuesOf(fields: readonly SchemaField[], thing: unknown): Values {
  const values: Values = {};
  for (const field of fields) {
    if (field.kind === 'group') Object.assign(values, valuesOf(field.fields, thing));
    else if (field.kind === 'union') {
      // The branch of the thing last: of fields with the same name its own stands.
      const value = at(thing, field.name) ?? field.fallback ?? '';
      const last = field.branches.filter((branch) => branch.value === value);
      for (const { fields: inner } of [...field.branches, ...last]) Object.assign(values, valuesOf(inner, thing));
      values[field.name] = value;
    } else values[field.name] = textOf(field, at(thing, field.name));
  }
  return values;
}

function textOf(field: SchemaField, value: unknown): unknown {
  switch (field.kind) {
    case 'fixed':
      return field.value;
    case 'secret':
      return '';
    case 'switch':
      return (value ?? field.fallback) === true;
    case 'json':
      return value === undefined ? '' : JSON.stringify(value, null, 2);
    case 'list':
      return Array.isArray(value) && value.length > 0 ? value : '';
    case 'map':
      return Object.entries(objectOf(value) ?? {}).map(([name, one], n) => ({
        key: String(n),
        name,
        value: String(one),
      }));
    default:
      return value ?? '';
  }
}

/** What is sent, and what cannot be: JSON that is none. Only what is shown counts. */
export function inputOf(
  fields: readonly SchemaField[],
  values: Values,
): { input: Values; errors: Record<string, string> } {
  const input: Values = {};
  const errors: Record<string, string> = {};
  const put = (shown: readonly SchemaField[]) => {
    for (const field of shown) {
      const value = values[field.name];
      if (field.kind === 'group') {
        if (field.required) place(input, field.name, {});
        put(field.fields);
      } else if (field.kind === 'union') {
        const branch = branchOf(field, values);
        if (branch === undefined) continue;
        place(input, field.name, branch.value);
        put(branch.fields);
      } else if (field.kind === 'map') {
        const entries = mapEntries(value).filter(({ name, value: one }) => name.trim() !== '' || one !== '');
        if (entries.length > 0)
          place(input, field.name, Object.fromEntries(entries.map((one) => [one.name.trim(), one.value])));
      } else if (isEmpty(value)) {
        if (field.nullable) place(input, field.name, null);
      } else if (field.kind === 'json') {
        try {
          place(input, field.name, JSON.parse(String(value)));
        } catch {
          errors[field.name] = 'Not JSON';
        }
      } else place(input, field.name, value);
    }
  };
  put(fields);
  return { input, errors };
}

export const mapEntries = (value: unknown): readonly MapEntry[] => (Array.isArray(value) ? (value as MapEntry[]) : []);

/** `{'limits.cpus': 2, name: ''}` → `{limits: {cpus: 2}}` */
export function nest(values: Values): Values {
  const input: Values = {};
  for (const [name, value] of Object.entries(values)) if (!isEmpty(value)) place(input, name, value);
  return input;
}

const isEmpty = (value: unknown) => value === '' || value === null || value === undefined;

function at(thing: unknown, name: string): unknown {
  return name.split('.').reduce<unknown>((inner, part) => objectOf(inner)?.[part], thing);
}

function place(whole: Values, name: string, value: unknown): void {
  const path = name.split('.');
  const last = path.pop() ?? name;
  let inner = whole;
  for (const part of path) {
    const next = objectOf(inner[part]) ?? {};
    inner[part] = next;
    inner = next;
  }
  inner[last] = value;
}
