import type { FileEntry } from '@hangar/contract';
import { showPath } from '@hangar/contract/path-bytes';
import { Button, Group, Modal, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';
import type { Action } from '../../components/actions/use-action.ts';
import { ErrorState } from '../../components/state/states.tsx';

/** What gets a name: a new folder, or an entry that has another one. */
export type Named = 'folder' | FileEntry;

export interface Naming {
  /** Null: nothing is named now. */
  readonly about: Named | null;
  readonly ask: (about: Named) => void;
  readonly onClose: () => void;
  readonly give: Action<[about: Named, name: string]>;
}

/** Asks for the name of a new folder, or for another name of what is there. */
export function FileName({ naming, taken }: { naming: Naming; taken: readonly FileEntry[] }) {
  const { about, onClose } = naming;
  return (
    <Modal
      opened={about !== null}
      onClose={onClose}
      title={about === null || about === 'folder' ? 'New folder' : `Rename ${showPath(about.name)}`}
    >
      {about === null ? null : <Asking about={about} naming={naming} taken={taken} />}
    </Modal>
  );
}

function Asking({ about, naming, taken }: { about: Named; naming: Naming; taken: readonly FileEntry[] }) {
  const before = about === 'folder' ? '' : about.name;
  // What is no text cannot be typed: it is named anew.
  const [name, setName] = useState(showPath(before) === before ? before : '');
  const [left, setLeft] = useState(false);
  const { give } = naming;
  const wrong = whyNot(name, before, taken);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        setLeft(true);
        if (wrong === null && !give.pending) give.run(about, name);
      }}
    >
      <Stack gap="md">
        <TextInput
          label="Name"
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          onBlur={() => setLeft(name !== before)}
          error={left ? wrong : null}
          autoComplete="off"
          spellCheck={false}
          data-autofocus
        />
        {give.error === null ? null : <ErrorState error={give.error} />}
        <Group justify="flex-end" gap={8}>
          <Button variant="default" onClick={naming.onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={give.pending}>
            {about === 'folder' ? 'Make the folder' : 'Rename'}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** A move puts a file in the place of another without asking, so a name that is taken is refused here. */
function whyNot(name: string, before: string, taken: readonly FileEntry[]): string | null {
  if (name === '') return 'A name';
  if (name.includes('/') || name.includes('\0')) return 'A name without /';
  if (name === '.' || name === '..') return 'A name of its own';
  if (name !== before && taken.some((entry) => entry.name === name)) return 'There is one of this name here';
  return null;
}
