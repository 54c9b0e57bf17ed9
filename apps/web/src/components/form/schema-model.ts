type Schema = Record<string, unknown>;
export type Values = Record<string, unknown>;

/** What a form says of a field in place of what the schema says. */
export interface FieldWords {
  label?: string;
  /** Empty: none, also where the schema has a description. */
  help?: string;
  /** Takes half of the line; the next half stands beside it. */
  half?: boolean;
  /** A number is typed in a unit of so many: 60 for seconds as minutes. */
  unit?: number;
  /** Words of the choices, by value. */
  choices?: Readonly<Record<string, string>>;
  /** Its fields stand without a frame and a heading of their own. */
  flat?: boolean;
  /**
   * Drawn otherwise than its schema says. `page` has lines, `segments` shows the choices beside each other, and `json` is for
   * what is known to have no field of its own.
   */
  as?: 'page' | 'segments' | 'json';
  /** What a row of a map is called. */
  noun?: string;
  /** More props of the input itself. */
  input?: Readonly<Record<string, unknown>>;
}

interface Common {
  /** Path in what is sent: `limits.cpus`. */
  readonly name: string;
  readonly label: string;
  readonly help: string | undefined;
  readonly required: boolean;
  /** Null is sent when it is empty. */
  readonly nullable: boolean;
  /** What is taken when it stays empty. */
  readonly fallback: unknown;
  readonly words: FieldWords;
}
interface Choice {
  readonly value: string;
  readonly label: string;
}
interface Branch extends Choice {
  readonly fields: readonly SchemaField[];
  /** What has to be known before it is chosen. */
  readonly note?: string | undefined;
}
export type SchemaField = Common &
  (
    | { readonly kind: 'text' | 'page' | 'switch' | 'list' }
    | { readonly kind: 'map'; readonly isSecret: boolean }
    /** Never comes back once it is kept; `hasLines` for keys. */
    | { readonly kind: 'secret'; readonly hasLines: boolean }
    | {
        readonly kind: 'number';
        readonly whole: boolean;
        readonly min: number | undefined;
        readonly max: number | undefined;
      }
    | { readonly kind: 'choice'; readonly choices: readonly Choice[] }
    | { readonly kind: 'group'; readonly fields: readonly SchemaField[] }
    /** `name` is that of the discriminator. */
    | { readonly kind: 'union'; readonly branches: readonly Branch[] }
    | { readonly kind: 'fixed'; readonly value: unknown }
    /** Typed as JSON; `isKnown` when the form says that it shall be. */
    | { readonly kind: 'json'; readonly isKnown: boolean }
  );

export interface FieldsOptions {
  /** By path. Fields that are named here come first and in this order. */
  words?: Readonly<Record<string, FieldWords>>;
  /** Paths of what the form sets by itself. */
  without?: readonly string[];
  /** Path of the object that the schema is of. */
  at?: string;
}

/** The fields of an object's JSON Schema. What has no field of its own is typed as JSON: nothing is left out. */
export function fieldsOf(schema: Schema, options: FieldsOptions = {}): SchemaField[] {
  const branches = branchesOf(schema);
  if (branches) return [unionOf(branches, schema, true, options)];
  const { words = {}, without = [], at = '' } = options;
  const required = Array.isArray(schema.required) ? schema.required : [];
  const order = Object.keys(words);
  const rank = (name: string) => (order.indexOf(name) + order.length + 1) % (order.length + 1);
  return Object.entries(objectOf(schema.properties) ?? {})
    .map(([key, property]) => ({ key, name: at === '' ? key : `${at}.${key}`, property: objectOf(property) ?? {} }))
    .filter(({ name }) => !without.includes(name))
    .sort((a, b) => rank(a.name) - rank(b.name))
    .map(({ key, name, property }) => fieldOf(key, name, property, required.includes(key), options));
}

function fieldOf(key: string, name: string, given: Schema, required: boolean, options: FieldsOptions): SchemaField {
  const { schema, nullable } = withoutNull(given);
  const said = options.words?.[name] ?? {};
  const help = said.help ?? given.description ?? schema.description;
  const common: Common = {
    name,
    label: said.label ?? labelOf(key),
    help: typeof help === 'string' && help !== '' ? help : undefined,
    required,
    nullable,
    fallback: given.default ?? schema.default,
    words: said,
  };
  const branches = branchesOf(schema);
  if (said.as === 'json') return { ...common, kind: 'json', isKnown: true };
  if (branches)
    return { ...common, kind: 'group', fields: [unionOf(branches, schema, required, { ...options, at: name })] };
  if ('const' in schema) return { ...common, kind: 'fixed', value: schema.const };
  const { type, enum: choices, maxLength, items, additionalProperties: more } = schema;
  if (Array.isArray(choices)) return { ...common, kind: 'choice', choices: choices.map((one) => choiceOf(one, said)) };
  const isPage = said.as === 'page' || (typeof maxLength === 'number' && maxLength >= PAGE);
  if (type === 'string' && isSecret(schema)) return { ...common, kind: 'secret', hasLines: said.as === 'page' };
  if (type === 'string') return { ...common, kind: isPage ? 'page' : 'text' };
  if (type === 'boolean') return { ...common, kind: 'switch' };
  if (type === 'number' || type === 'integer')
    return {
      ...common,
      kind: 'number',
      whole: type === 'integer',
      min: numberOf(schema.minimum),
      max: numberOf(schema.maximum),
    };
  if (type === 'array' && isText(items)) return { ...common, kind: 'list' };
  if (type === 'object' && schema.properties !== undefined)
    return { ...common, kind: 'group', fields: fieldsOf(schema, { ...options, at: name }) };
  if (type === 'object' && isText(more)) return { ...common, kind: 'map', isSecret: isSecret(objectOf(more) ?? {}) };
  return { ...common, kind: 'json', isKnown: false };
}

interface Branches {
  by: string;
  schemas: readonly { value: string; schema: Schema }[];
}

/** Of several objects that one property with a fixed value in each tells apart. */
function branchesOf(schema: Schema): Branches | null {
  const several = schema.oneOf ?? schema.anyOf;
  if (!Array.isArray(several) || several.length === 0) return null;
  const objects = several.map((one) => objectOf(one) ?? {});
  const by = Object.keys(objectOf(objects[0]?.properties) ?? {}).find((name) => {
    const values = objects.map((one) => objectOf(objectOf(one.properties)?.[name])?.const);
    return values.every((value) => typeof value === 'string') && new Set(values).size === values.length;
  });
  if (by === undefined) return null;
  const nameOf = (one: Schema) => String(objectOf(objectOf(one.properties)?.[by])?.const);
  return { by, schemas: objects.map((one) => ({ value: nameOf(one), schema: one })) };
}

function unionOf({ by, schemas }: Branches, schema: Schema, required: boolean, options: FieldsOptions): SchemaField {
  const name = options.at ? `${options.at}.${by}` : by;
  const said = options.words?.[name] ?? {};
  return {
    name,
    label: said.label ?? labelOf(by),
    help: said.help || undefined,
    required,
    nullable: false,
    fallback: objectOf(schema.default)?.[by] ?? (required ? schemas[0]?.value : undefined),
    words: said,
    kind: 'union',
    branches: schemas.map((branch) => ({
      ...choiceOf(branch.value, said),
      fields: fieldsOf(branch.schema, { ...options, without: [...(options.without ?? []), name] }),
    })),
  };
}

/** A property of the schema whose choice decides which other fields there are. */
export const choiceBy = (schema: Schema, by: string, words: FieldWords, branches: readonly Branch[]): SchemaField => ({
  ...fieldOf(by, by, objectOf(objectOf(schema.properties)?.[by]) ?? {}, true, { words: { [by]: words } }),
  fallback: branches[0]?.value,
  kind: 'union',
  branches,
});

const choiceOf = (value: unknown, { choices }: FieldWords): Choice => ({
  value: String(value),
  label: choices?.[String(value)] ?? String(value),
});

function withoutNull(schema: Schema): { schema: Schema; nullable: boolean } {
  const { type, anyOf } = schema;
  if (Array.isArray(type) && type.includes('null')) {
    const [one, ...others] = type.filter((name) => name !== 'null');
    return { schema: { ...schema, type: others.length === 0 ? one : type }, nullable: true };
  }
  if (!Array.isArray(anyOf)) return { schema, nullable: false };
  const rest = anyOf.map((one) => objectOf(one) ?? {}).filter((one) => one.type !== 'null');
  if (rest.length === anyOf.length) return { schema, nullable: false };
  return {
    schema: rest.length === 1 ? { ...schema, anyOf: undefined, ...rest[0] } : { ...schema, anyOf: rest },
    nullable: true,
  };
}

/** A text that may be so long has lines. */
const PAGE = 1_000;

export const objectOf = (value: unknown): Schema | null =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Schema) : null;
const numberOf = (value: unknown) =>
  typeof value === 'number' && Math.abs(value) < Number.MAX_SAFE_INTEGER ? value : undefined;
const isText = (schema: unknown) => {
  const { type, enum: choices } = objectOf(schema) ?? {};
  return type === 'string' && choices === undefined;
};
const isSecret = ({ writeOnly, format }: Schema) => writeOnly === true || format === 'password';

/** `serverUrl` → `Server URL` */
function labelOf(name: string): string {
  const words = name.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase();
  return (words.charAt(0).toUpperCase() + words.slice(1)).replace(/\burl\b/i, 'URL');
}

/** All that can be shown: of groups and branches what is in them. */
const leavesOf = (fields: readonly SchemaField[]): SchemaField[] =>
  fields.flatMap((field) => {
    if (field.kind === 'group') return leavesOf(field.fields);
    return field.kind === 'union' ? [field, ...field.branches.flatMap((branch) => leavesOf(branch.fields))] : [field];
  });

export const secretsOf = (fields: readonly SchemaField[]): string[] =>
  leavesOf(fields)
    .filter((field) => field.kind === 'secret' || (field.kind === 'map' && field.isSecret))
    .map(({ name }) => name);

/** Fields that nobody has thought of: each is typed as JSON. */
export const unknownOf = (fields: readonly SchemaField[]): string[] =>
  leavesOf(fields)
    .filter((field) => field.kind === 'json' && !field.isKnown)
    .map(({ name }) => name);
