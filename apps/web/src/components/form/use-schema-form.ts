import { HangarError } from '@hangar/contract/errors';
import { type FormEvent, useCallback, useDeferredValue, useEffect, useMemo, useState } from 'react';
import type { z } from 'zod';
import { issuesOf } from '../../api/errors.ts';
import { useAction } from '../actions/use-action.ts';
import { forget, keep, kept } from './kept-form.ts';
import type { Values } from './schema-model.ts';
import { nest } from './schema-values.ts';

export interface SchemaFormOptions<V extends object, S extends z.ZodType, R> {
  /** The schema of the operation's input. */
  schema: S;
  /** By field; a dot in a name nests: `limits.cpus`. Empty texts and null are left out of what is sent. */
  initial: V;
  /** Stands in the fields from the start, also where something else was kept. */
  given?: Partial<V>;
  /** What is sent of what stands in the fields, and what cannot be sent; otherwise as said at `initial`. */
  toInput?: (values: V) => { input: unknown; errors: Readonly<Record<string, string>> };
  /** Keeps what was typed over a reload under this name, until it is sent. */
  keepAs?: string;
  /** Fields that are never kept; of rows of names and values, the values. */
  secrets?: readonly (keyof V & string)[];
  /** The field of an issue of the schema or of the server that names none of the fields. */
  fieldOf?: (error: { path: string; code: string }) => string | undefined;
  submit: (input: z.output<S>, values: V) => Promise<R>;
  /** After a good end, if the page is still there. */
  onDone?: (result: R) => void;
  /** Fields that are checked from the start, as if they had been left. */
  touched?: readonly (keyof V & string)[];
}

export interface SchemaForm<V extends object> {
  values: V;
  set: <K extends keyof V & string>(name: K, value: V[K]) => void;
  /** Its value is checked from now on. */
  touch: (name: keyof V & string) => void;
  /** Errors to show now, by field. */
  errors: Readonly<Record<string, string>>;
  /** What the server said that belongs to no field, or says a way out. */
  error: HangarError | null;
  pending: boolean;
  /** Something stands there that did not at first. */
  dirty: boolean;
  onSubmit: (event: FormEvent<HTMLFormElement>) => void;
  reset: () => void;
  /** Props of a text field. */
  text: (name: keyof V & string) => {
    name: string;
    value: string;
    error: string | undefined;
    onChange: (event: { currentTarget: { value: string } }) => void;
    onBlur: () => void;
  };
  /** Props of a field that hands over its value: Select, NumberInput, SegmentedControl. */
  pick: <K extends keyof V & string>(
    name: K,
  ) => { name: string; value: V[K]; error: string | undefined; onChange: (value: V[K]) => void; onBlur: () => void };
  /** Props of a checkbox or switch. */
  check: (name: keyof V & string) => {
    name: string;
    checked: boolean;
    error: string | undefined;
    onChange: (event: { currentTarget: { checked: boolean } }) => void;
  };
}

/** A form from the schema of the API: an error appears beside its field on leaving it, and nothing typed is lost. */
export function useSchemaForm<V extends object, S extends z.ZodType, R>(
  options: SchemaFormOptions<V, S, R>,
): SchemaForm<V> {
  const { schema, keepAs, secrets, toInput = plain, fieldOf = none } = options;
  const [first] = useState(options.initial);
  const [values, setValues] = useState<V>(() => ({ ...first, ...kept(keepAs, first), ...options.given }));
  const [touched, setTouched] = useState<ReadonlySet<string>>(() => new Set(options.touched));
  /** Changed since the server has said what is wrong. */
  const [changed, setChanged] = useState<ReadonlySet<string>>(() => new Set());
  const [lost, setLost] = useState<HangarError | null>(null);
  const names = Object.keys(values);

  useEffect(() => {
    if (keepAs !== undefined) keep(keepAs, values, secrets);
  }, [keepAs, values, secrets]);

  // A long text takes a moment to check: typing does not wait for it.
  const settled = useDeferredValue(values);
  const issues = useMemo(() => issuesIn(schema, toInput(settled)), [schema, toInput, settled]);
  const action = useAction(async (input: z.output<S>) => {
    const result = await options.submit(input, values);
    if (keepAs !== undefined) forget(keepAs);
    return result;
  }, options.onDone);
  const server = byField(issuesOf(action.error), names, fieldOf);
  const byCode = action.error === null ? undefined : fieldOf({ path: '', code: action.error.code });
  if (byCode !== undefined && action.error !== null) server.errors[byCode] ??= action.error.message;
  const isTold = byCode === undefined && server.rest.length === 0 && Object.keys(server.errors).length > 0;

  const errors: Record<string, string> = {};
  for (const [name, message] of Object.entries(byField(issues, names, fieldOf).errors))
    if (touched.has(name)) errors[name] = message;
  for (const [name, message] of Object.entries(server.errors)) if (!changed.has(name)) errors[name] = message;

  const touch = useCallback((name: string) => setTouched((old) => (old.has(name) ? old : new Set(old).add(name))), []);
  const set = useCallback<SchemaForm<V>['set']>((name, value) => {
    setValues((old) => ({ ...old, [name]: value }));
    setChanged((old) => new Set(old).add(name));
    setLost(null);
  }, []);

  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    setTouched(new Set(names));
    const { input, errors: unsent } = toInput(values);
    const parsed = schema.safeParse(input);
    if (parsed.success && Object.keys(unsent).length === 0) {
      setChanged(new Set());
      setLost(null);
      if (!action.pending) action.run(parsed.data);
      return;
    }
    // What is wrong and stands in no field would otherwise be a button that does nothing.
    const [rest] = byField(issuesIn(schema, { input, errors: unsent }), names, fieldOf).rest;
    setLost(rest === undefined ? null : new HangarError('validation_failed', { message: rest }));
    const form = event.currentTarget;
    requestAnimationFrame(() => form.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());
  };

  return {
    values,
    set,
    touch,
    errors,
    error: lost ?? (isTold || changed.size > 0 ? null : action.error),
    pending: action.pending,
    dirty: names.some((name) => read(values, name) !== read(first, name)),
    reset: () => {
      setValues(first);
      setTouched(new Set());
      action.reset();
      if (keepAs !== undefined) forget(keepAs);
    },
    onSubmit,
    text: (name) => ({
      name,
      value: typeof values[name] === 'string' ? values[name] : '',
      error: errors[name],
      onChange: (event) => set(name, event.currentTarget.value as V[typeof name]),
      onBlur: () => touch(name),
    }),
    pick: (name) => ({
      name,
      value: values[name],
      error: errors[name],
      onChange: (value) => set(name, value),
      onBlur: () => touch(name),
    }),
    check: (name) => ({
      name,
      checked: values[name] === true,
      error: errors[name],
      onChange: (event) => set(name, event.currentTarget.checked as V[typeof name]),
    }),
  };
}

const none = () => undefined;
const plain = (values: object) => ({ input: nest(values as Values), errors: {} });
const read = (values: object, name: string): unknown => Reflect.get(values, name);

/** Messages by path. */
function issuesIn(
  schema: z.ZodType,
  { input, errors }: { input: unknown; errors: Readonly<Record<string, string>> },
): Record<string, string> {
  const found: Record<string, string> = { ...errors };
  for (const { path, message } of schema.safeParse(input).error?.issues ?? []) found[path.join('.')] ??= message;
  return found;
}

/** Each message at the field whose path it begins with: `env.PATH` and `env` belong to `env`. `rest` belongs to none. */
export function byField(
  issues: Readonly<Record<string, string>>,
  names: readonly string[],
  fieldOf: (error: { path: string; code: string }) => string | undefined = none,
): { errors: Record<string, string>; rest: string[] } {
  const errors: Record<string, string> = {};
  const rest: string[] = [];
  for (const [path, message] of Object.entries(issues)) {
    const around = names.filter((name) => path === name || path.startsWith(`${name}.`));
    const name = fieldOf({ path, code: '' }) ?? around.sort((a, b) => b.length - a.length)[0];
    if (name !== undefined && names.includes(name)) errors[name] ??= message;
    else rest.push(path === '' ? message : `${path}: ${message}`);
  }
  return { errors, rest };
}

/** The schema of an operation's input, for the form that fills it. */
export function inputSchema<S>(operation: { '~orpc': { inputSchema?: S | undefined } }): S {
  const schema = operation['~orpc'].inputSchema;
  if (schema === undefined) throw new Error('this operation takes no input');
  return schema;
}
