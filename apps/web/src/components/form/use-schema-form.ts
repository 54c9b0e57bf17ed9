import type { HangarError } from '@hangar/contract';
import { type FormEvent, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type { z } from 'zod';
import { asHangarError, issuesOf } from '../../api/errors.ts';
import { useIsHere } from '../use-action.ts';

type Values = Record<string, unknown>;

export interface SchemaFormOptions<V extends Values, S extends z.ZodType> {
  /** The schema of the operation's input. */
  schema: S;
  /** By field; a dot in a name nests: `limits.cpus`. Empty texts and null are left out of what is sent. */
  initial: V;
  /** Keeps what was typed over a reload under this name, until it is sent. */
  keepAs?: string;
  /** Fields that are never kept. */
  secrets?: readonly (keyof V & string)[];
  submit: (input: z.output<S>) => Promise<unknown>;
}

export interface SchemaForm<V extends Values> {
  values: V;
  set: <K extends keyof V & string>(name: K, value: V[K]) => void;
  /** Errors to show now, by field. */
  errors: Readonly<Record<string, string>>;
  /** What the server said that belongs to no field. */
  error: HangarError | null;
  pending: boolean;
  onSubmit: (event: FormEvent) => void;
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
export function useSchemaForm<V extends Values, S extends z.ZodType>(options: SchemaFormOptions<V, S>): SchemaForm<V> {
  const { schema, initial, keepAs, secrets } = options;
  const [values, setValues] = useState<V>(() => ({ ...initial, ...kept(keepAs, initial) }));
  const [touched, setTouched] = useState<ReadonlySet<string>>(() => new Set());
  const [told, setTold] = useState<Record<string, string>>({});
  const [error, setError] = useState<HangarError | null>(null);
  const [pending, setPending] = useState(false);
  const first = useRef(initial);

  useEffect(() => {
    if (keepAs !== undefined) keep(keepAs, values, secrets);
  }, [keepAs, values, secrets]);

  const issues = useMemo(() => check(schema, values), [schema, values]);
  const errors: Record<string, string> = {};
  for (const name of touched) {
    const message = issues[name];
    if (message !== undefined) errors[name] = message;
  }
  Object.assign(errors, told);

  const touch = useCallback((name: string) => setTouched((old) => (old.has(name) ? old : new Set(old).add(name))), []);
  const set = useCallback<SchemaForm<V>['set']>((name, value) => {
    setValues((old) => ({ ...old, [name]: value }));
    setTold(({ [name]: _gone, ...rest }) => rest);
  }, []);
  const reset = () => {
    setValues(first.current);
    setTouched(new Set());
    setTold({});
    setError(null);
    if (keepAs !== undefined) forget(keepAs);
  };

  const isHere = useIsHere();
  const send = async () => {
    setTouched(new Set([...Object.keys(values), ...Object.keys(issues)]));
    const parsed = schema.safeParse(nest(values));
    if (!parsed.success) return;
    setPending(true);
    setError(null);
    setTold({});
    try {
      await options.submit(parsed.data);
      if (keepAs !== undefined) forget(keepAs);
    } catch (thrown) {
      if (!isHere()) return;
      const byField = issuesOf(thrown);
      const ours = Object.fromEntries(Object.entries(byField).filter(([name]) => name in values));
      setTold(ours);
      if (Object.keys(ours).length === 0) setError(asHangarError(thrown));
    } finally {
      if (isHere()) setPending(false);
    }
  };

  return {
    values,
    set,
    errors,
    error,
    pending,
    reset,
    onSubmit: (event) => {
      event.preventDefault();
      if (!pending) void send();
    },
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

function check(schema: z.ZodType, values: Values): Record<string, string> {
  const parsed = schema.safeParse(nest(values));
  const byField: Record<string, string> = {};
  if (!parsed.success) for (const issue of parsed.error.issues) byField[issue.path.join('.')] ??= issue.message;
  return byField;
}

/** `{'limits.cpus': 2, name: ''}` → `{limits: {cpus: 2}}` */
export function nest(values: Values): Values {
  const whole: Values = {};
  for (const [name, value] of Object.entries(values)) {
    if (value === '' || value === null || value === undefined) continue;
    const path = name.split('.');
    const last = path.pop() ?? name;
    let at = whole;
    for (const part of path) {
      const next = at[part];
      const inner: Values = typeof next === 'object' && next !== null ? (next as Values) : {};
      at[part] = inner;
      at = inner;
    }
    at[last] = value;
  }
  return whole;
}

const keyOf = (name: string) => `hangar.form.${name}`;

function kept<V extends Values>(name: string | undefined, initial: V): Partial<V> {
  if (name === undefined) return {};
  try {
    const found: unknown = JSON.parse(sessionStorage.getItem(keyOf(name)) ?? '{}');
    if (typeof found !== 'object' || found === null) return {};
    return Object.fromEntries(Object.entries(found).filter(([field]) => field in initial)) as Partial<V>;
  } catch {
    return {};
  }
}

function keep(name: string, values: Values, secrets: readonly string[] = []): void {
  try {
    const open = Object.entries(values).filter(([field]) => !secrets.includes(field));
    sessionStorage.setItem(keyOf(name), JSON.stringify(Object.fromEntries(open)));
  } catch {
    // A full or forbidden store loses only the convenience.
  }
}

function forget(name: string): void {
  try {
    sessionStorage.removeItem(keyOf(name));
  } catch {
    // As above.
  }
}
