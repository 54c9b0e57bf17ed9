import { ActionIcon, Button, PasswordInput, TextInput } from '@mantine/core';
import { IconPlus, IconX } from '@tabler/icons-react';
import classes from './new-job.module.css';
import type { EnvEntry } from './new-job-form.ts';

interface EnvFieldsProps {
  entries: readonly EnvEntry[];
  onEntries: (entries: readonly EnvEntry[]) => void;
  onLeave: () => void;
  error: string | undefined;
}

/** Variables for the agent. Values are masked here, what looks like a secret in the log, too; none is kept over a reload. */
export function EnvFields({ entries, onEntries, onLeave, error }: EnvFieldsProps) {
  const change = (key: string, part: Partial<EnvEntry>) =>
    onEntries(entries.map((entry) => (entry.key === key ? { ...entry, ...part } : entry)));
  return (
    <fieldset className={classes.env}>
      <legend>Environment</legend>
      <p className={classes.hint}>
        Values are stored encrypted, what looks like a secret is masked in the log, and all are gone when you reload
        this page.
      </p>
      {entries.map((entry) => (
        <div key={entry.key} className={classes.envRow}>
          <TextInput
            aria-label="Name of the variable"
            placeholder="NAME"
            classNames={{ input: classes.mono ?? '' }}
            value={entry.name}
            autoComplete="off"
            autoCapitalize="off"
            spellCheck={false}
            onChange={(event) => change(entry.key, { name: event.currentTarget.value })}
            onBlur={onLeave}
          />
          <PasswordInput
            aria-label={`Value of ${entry.name || 'the variable'}`}
            placeholder="value"
            value={entry.value}
            autoComplete="new-password"
            onChange={(event) => change(entry.key, { value: event.currentTarget.value })}
            onBlur={onLeave}
          />
          <ActionIcon
            size={32}
            aria-label={`Remove ${entry.name || 'the variable'}`}
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
        Add a variable
      </Button>
    </fieldset>
  );
}

const nextKey = (entries: readonly EnvEntry[]): number =>
  entries.reduce((highest, entry) => Math.max(highest, Number(entry.key.replace(/\D/g, '')) || 0), 0) + 1;
