import { useState } from 'react';
import type { ConfirmProps } from './confirm.tsx';
import { useAction } from './use-action.ts';

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
