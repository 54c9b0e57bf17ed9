import type { HangarError } from '@hangar/contract';
import { Button, Group, Modal, Stack, TextInput } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { ErrorState } from '../state/states.tsx';
import { useAction } from './use-action.ts';

export interface ConfirmProps {
  opened: boolean;
  onClose: () => void;
  /** A question that names the thing: "Remove profile builder?" */
  title: string;
  /** What will be gone. */
  gone: ReactNode;
  /** The verb of the button: "Remove profile". */
  action: string;
  onConfirm: () => void;
  pending: boolean;
  error?: HangarError | null;
}

/** For what can be made again easily. What cannot be undone takes ConfirmByName. */
export function Confirm(props: ConfirmProps) {
  return <Question {...props} ready />;
}

export interface ConfirmByNameProps extends ConfirmProps {
  /** What has to be typed. */
  name: string;
}

/** For what costs or cannot be undone: the name has to be typed. */
export function ConfirmByName({ name, ...props }: ConfirmByNameProps) {
  const [typed, setTyped] = useState('');
  return (
    <Question {...props} ready={typed.trim() === name}>
      <TextInput
        label={
          <>
            Type <code>{name}</code> to confirm
          </>
        }
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
        autoComplete="off"
        data-autofocus
      />
    </Question>
  );
}

function Question({
  opened,
  onClose,
  title,
  gone,
  action,
  onConfirm,
  pending,
  error,
  ready,
  children,
}: ConfirmProps & { ready: boolean; children?: ReactNode }) {
  return (
    <Modal opened={opened} onClose={onClose} title={title}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (ready && !pending) onConfirm();
        }}
      >
        <Stack gap="md">
          <div style={{ color: 'var(--hg-dim)' }}>{gone}</div>
          {children}
          {error ? <ErrorState error={error} /> : null}
          <Group justify="flex-end" gap={8}>
            <Button variant="default" onClick={onClose} {...(children === undefined ? { 'data-autofocus': true } : {})}>
              Keep
            </Button>
            <Button type="submit" color="red" disabled={!ready} loading={pending}>
              {action}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

export interface Asked<T> {
  /** Opens the question. */
  ask: (about: T) => void;
  /** What is asked about; null while nothing is. */
  about: T | null;
  pending: boolean;
  /** Props of the dialog that asks. */
  dialog: Pick<ConfirmProps, 'opened' | 'onClose' | 'onConfirm' | 'pending' | 'error'>;
}

/** An action that asks before it does it, and says in the question what went wrong. */
export function useAsked<T>(work: (about: T) => Promise<unknown>): Asked<T> {
  const [about, setAbout] = useState<T | null>(null);
  const action = useAction(work, () => setAbout(null));
  return {
    ask: (next) => {
      action.reset();
      setAbout(next);
    },
    about,
    pending: action.pending,
    dialog: {
      opened: about !== null,
      onClose: () => setAbout(null),
      onConfirm: () => {
        if (about !== null) action.run(about);
      },
      pending: action.pending,
      error: action.error,
    },
  };
}
