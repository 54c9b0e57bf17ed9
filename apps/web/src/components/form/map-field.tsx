import { ActionIcon, Button, PasswordInput, TextInput } from '@mantine/core';
import { IconPlus, IconX } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import classes from './form.module.css';
import type { MapEntry } from './schema-values.ts';

export interface MapFieldProps {
  label: string;
  help: ReactNode;
  /** What a row is called: variable. */
  noun: string;
  /** Values are masked. */
  isSecret: boolean;
  entries: readonly MapEntry[];
  onEntries: (entries: readonly MapEntry[]) => void;
  onLeave: () => void;
  error: string | undefined;
}

/** Rows of names and values. */
export function MapField({ label, help, noun, isSecret, entries, onEntries, onLeave, error }: MapFieldProps) {
  const change = (key: string, part: Partial<MapEntry>) =>
    onEntries(entries.map((entry) => (entry.key === key ? { ...entry, ...part } : entry)));
  const Value = isSecret ? PasswordInput : TextInput;
  return (
    <fieldset className={classes.map}>
      <legend>{label}</legend>
      {help === undefined ? null : <p className={classes.hint}>{help}</p>}
      {entries.map((entry) => (
        <div key={entry.key} className={classes.mapRow}>
          <TextInput
            aria-label={`Name of the ${noun}`}
            placeholder="NAME"
            classNames={{ input: classes.mono ?? '' }}
            value={entry.name}
            autoComplete="off"
            autoCapitalize="off"
            spellCheck={false}
            onChange={(event) => change(entry.key, { name: event.currentTarget.value })}
            onBlur={onLeave}
          />
          <Value
            aria-label={`Value of ${entry.name || `the ${noun}`}`}
            placeholder="value"
            value={entry.value}
            autoComplete={isSecret ? 'new-password' : 'off'}
            onChange={(event) => change(entry.key, { value: event.currentTarget.value })}
            onBlur={onLeave}
          />
          <ActionIcon
            size={32}
            aria-label={`Remove ${entry.name || `the ${noun}`}`}
            onClick={() => onEntries(entries.filter((other) => other.key !== entry.key))}
          >
            <IconX size={15} />
          </ActionIcon>
        </div>
      ))}
      {error === undefined ? null : (
        <p className={classes.fieldError} role="alert">
          {error}
        </p>
      )}
      <Button
        variant="default"
        size="compact-sm"
        leftSection={<IconPlus size={14} />}
        onClick={() => onEntries([...entries, { key: String(nextKey(entries)), name: '', value: '' }])}
      >
        Add a {noun}
      </Button>
    </fieldset>
  );
}

const nextKey = (entries: readonly MapEntry[]): number =>
  entries.reduce((highest, entry) => Math.max(highest, Number(entry.key.replace(/\D/g, '')) || 0), 0) + 1;
