import { NumberInput, PasswordInput, SegmentedControl, Select, Switch, Textarea, TextInput } from '@mantine/core';
import { useCallback, useEffect, useMemo } from 'react';
import type { z } from 'zod';
import { Callout } from '../state/callout.tsx';
import classes from './form.module.css';
import { MapField } from './map-field.tsx';
import { type SchemaField, secretsOf, type Values } from './schema-model.ts';
import { branchOf, inputOf, mapEntries, valuesOf } from './schema-values.ts';
import { type SchemaForm, type SchemaFormOptions, useSchemaForm } from './use-schema-form.ts';

type FieldsFormOptions<S extends z.ZodType, R> = Pick<
  SchemaFormOptions<Values, S, R>,
  'schema' | 'keepAs' | 'submit' | 'onDone' | 'fieldOf'
> & {
  fields: readonly SchemaField[];
  /** What stands in the fields at first. */
  of?: unknown;
};

/** The state of a form that is drawn by `SchemaFields`. Make `fields` once: outside of the component, or by `useMemo`. */
export function useFieldsForm<S extends z.ZodType, R>({ fields, of, ...options }: FieldsFormOptions<S, R>) {
  const toInput = useCallback((values: Values) => inputOf(fields, values), [fields]);
  const secrets = useMemo(() => secretsOf(fields), [fields]);
  return useSchemaForm({ ...options, initial: valuesOf(fields, of), toInput, secrets });
}

export interface SchemaFieldsProps {
  form: SchemaForm<Values>;
  fields: readonly SchemaField[];
  /** Secrets that are kept already: left empty they stay as they are. */
  sealed?: readonly string[];
}

export function SchemaFields(props: SchemaFieldsProps) {
  return (
    <div className={classes.fields}>
      <Several {...props} />
    </div>
  );
}

function Several({ fields, ...props }: SchemaFieldsProps) {
  return fields.map((field) => <Field key={field.name} field={field} {...props} />);
}

function Field({ field, ...props }: Omit<SchemaFieldsProps, 'fields'> & { field: SchemaField }) {
  const { form } = props;
  if (field.kind === 'fixed') return null;
  if (field.kind === 'group') {
    if (field.words.flat) return <Several {...props} fields={field.fields} />;
    return (
      <fieldset className={classes.group}>
        <legend>{field.label}</legend>
        {field.help === undefined ? null : <p className={classes.hint}>{field.help}</p>}
        <SchemaFields {...props} fields={field.fields} />
      </fieldset>
    );
  }
  const input = (
    <div className={field.words.half ? classes.half : classes.whole}>
      <Input field={field} {...props} />
    </div>
  );
  if (field.kind !== 'union') return input;
  const branch = branchOf(field, form.values);
  return (
    <>
      {input}
      {branch?.note === undefined ? null : (
        <div className={classes.whole}>
          <Callout tone="needs">{branch.note}</Callout>
        </div>
      )}
      <Several {...props} fields={branch?.fields ?? []} />
    </>
  );
}

function Input({ field, form, sealed = [] }: Omit<SchemaFieldsProps, 'fields'> & { field: SchemaField }) {
  const { name, label, words, fallback } = field;
  const { value, onBlur, error } = form.pick(name);
  const text = form.text(name);
  const own = { ...(typeof fallback === 'string' ? { placeholder: fallback } : {}), ...words.input };
  const common = { label, ...(field.help === undefined ? {} : { description: field.help }) };
  const lines = { autosize: true, minRows: 1, maxRows: 16 };
  const mono = { classNames: { input: classes.code ?? '' }, spellCheck: false };
  switch (field.kind) {
    case 'choice':
    case 'union': {
      const data =
        field.kind === 'choice'
          ? [...field.choices]
          : field.branches.map(({ value: id, label: word }) => ({ value: id, label: word }));
      const chosen = typeof value === 'string' && value !== '' ? value : typeof fallback === 'string' ? fallback : null;
      const onChoice = (choice: string | null) => form.set(name, choice ?? '');
      if (words.as === 'segments')
        return <SegmentedControl aria-label={label} fullWidth data={data} value={chosen ?? ''} onChange={onChoice} />;
      const canBeNone = !field.required && fallback === undefined;
      return (
        <Select
          {...common}
          data={data}
          allowDeselect={false}
          clearable={canBeNone}
          {...own}
          value={chosen}
          error={error}
          onChange={onChoice}
          onBlur={onBlur}
        />
      );
    }
    case 'number': {
      const { unit = 1 } = words;
      const bounds = Object.entries({ min: field.min, max: field.max }).flatMap(([bound, at]) =>
        at === undefined ? [] : [[bound, Math.ceil(at / unit)]],
      );
      return (
        <NumberInput
          {...common}
          placeholder={typeof fallback === 'number' ? String(fallback / unit) : ''}
          // What is out of bounds is said beside the field, not changed in it.
          clampBehavior="none"
          {...Object.fromEntries(bounds)}
          {...own}
          value={typeof value === 'number' ? value / unit : ''}
          error={error}
          onChange={(typed) =>
            form.set(name, typed === '' ? '' : unit === 1 ? Number(typed) : Math.round(Number(typed) * unit))
          }
          onBlur={onBlur}
        />
      );
    }
    case 'switch':
      return <Switch {...common} {...own} {...form.check(name)} />;
    case 'list':
      return (
        <Textarea
          {...common}
          {...lines}
          placeholder="One a line"
          {...words.input}
          {...text}
          value={Array.isArray(value) ? value.join('\n') : ''}
          onChange={({ currentTarget: { value: typed } }) => form.set(name, typed === '' ? '' : typed.split('\n'))}
        />
      );
    case 'map':
      return (
        <MapField
          label={label}
          help={field.help}
          noun={words.noun ?? 'row'}
          isSecret={field.isSecret}
          entries={mapEntries(value)}
          onEntries={(entries) => form.set(name, entries)}
          onLeave={onBlur}
          error={error}
        />
      );
    case 'secret': {
      const kept = sealed.includes(name) ? { placeholder: 'Set: leave it empty to keep it as it is' } : {};
      if (field.hasLines)
        return <Textarea {...common} rows={5} {...mono} autoComplete="off" {...own} {...kept} {...text} />;
      return <PasswordInput {...common} autoComplete="off" {...own} {...kept} {...text} />;
    }
    case 'page':
      return <Textarea {...common} {...lines} {...own} {...text} />;
    case 'json':
      return (
        <>
          {field.isKnown ? null : <Unknown name={name} />}
          <Textarea {...common} {...lines} {...mono} placeholder="JSON" {...words.input} {...text} />
        </>
      );
    default:
      return <TextInput {...common} {...own} {...text} />;
  }
}

/** A developer hears of it: the test of the gallery fails at anything in the console. */
function Unknown({ name }: { name: string }) {
  useEffect(() => console.error(`The form has no field for the schema of ${name}: it is typed as JSON`), [name]);
  return null;
}
