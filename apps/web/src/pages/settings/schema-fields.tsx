import { NumberInput, Select, Switch, Textarea, TextInput } from '@mantine/core';
import type { SchemaForm } from '../../components/form/use-schema-form.ts';

export interface SchemaField {
  name: string;
  label: string;
  description: string | undefined;
  kind: 'text' | 'page' | 'number' | 'switch' | 'choice' | 'list';
  choices: readonly string[];
  /** What is taken when the field stays empty. */
  fallback: string | undefined;
}

/** The fields of a JSON Schema object; what is not a plain value is left out. */
export function fieldsOf(schema: Record<string, unknown>): SchemaField[] {
  const { properties } = schema;
  if (typeof properties !== 'object' || properties === null) return [];
  return Object.entries(properties).flatMap(([name, property]) => {
    if (typeof property !== 'object' || property === null) return [];
    const { type, description, enum: choices, default: fallback, maxLength } = property as Record<string, unknown>;
    const isPage = type === 'string' && typeof maxLength === 'number' && maxLength >= PAGE;
    const kind = Array.isArray(choices) ? 'choice' : isPage ? 'page' : KINDS[String(type)];
    if (kind === undefined) return [];
    return [
      {
        name,
        label: labelOf(name),
        description: typeof description === 'string' ? description : undefined,
        kind,
        choices: Array.isArray(choices) ? choices.map(String) : [],
        fallback: fallback === undefined || typeof fallback === 'object' ? undefined : String(fallback),
      },
    ];
  });
}

/** A text that may be so long has lines. */
const PAGE = 1_000;

const KINDS: Record<string, SchemaField['kind']> = {
  string: 'text',
  number: 'number',
  integer: 'number',
  boolean: 'switch',
  // The contract has lists of texts only.
  array: 'list',
};

/** `serverUrl` → `Server URL` */
function labelOf(name: string): string {
  const words = name.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase();
  return (words.charAt(0).toUpperCase() + words.slice(1)).replace(/\burl\b/i, 'URL');
}

export function SchemaFields({
  form,
  fields,
}: {
  form: SchemaForm<Record<string, unknown>>;
  fields: readonly SchemaField[];
}) {
  return fields.map((field) => {
    const { name, label } = field;
    const common = { label, ...(field.description === undefined ? {} : { description: field.description }) };
    const placeholder = field.fallback ?? '';
    const value = form.values[name];
    switch (field.kind) {
      case 'choice':
        return (
          <Select
            key={name}
            {...common}
            data={[...field.choices]}
            allowDeselect={false}
            value={typeof value === 'string' && value !== '' ? value : (field.fallback ?? null)}
            error={form.errors[name]}
            onChange={(choice) => form.set(name, choice ?? '')}
          />
        );
      case 'number':
        return (
          <NumberInput
            key={name}
            {...common}
            placeholder={placeholder}
            value={typeof value === 'number' ? value : ''}
            error={form.errors[name]}
            onChange={(typed) => form.set(name, typed === '' ? '' : Number(typed))}
          />
        );
      case 'list':
        return (
          <Textarea
            key={name}
            {...common}
            placeholder="One a line"
            autosize
            minRows={1}
            value={Array.isArray(value) ? value.join('\n') : ''}
            error={form.errors[name] ?? form.errors[`${name}.0`]}
            onChange={(event) => {
              const text = event.currentTarget.value;
              form.set(name, text === '' ? '' : text.split('\n'));
            }}
          />
        );
      case 'page':
        return (
          <Textarea
            key={name}
            {...common}
            autosize
            minRows={1}
            maxRows={16}
            value={typeof value === 'string' ? value : ''}
            error={form.errors[name]}
            onChange={(event) => form.set(name, event.currentTarget.value)}
          />
        );
      case 'switch':
        return <Switch key={name} {...common} {...form.check(name)} />;
      default:
        return <TextInput key={name} {...common} placeholder={placeholder} {...form.text(name)} />;
    }
  });
}
