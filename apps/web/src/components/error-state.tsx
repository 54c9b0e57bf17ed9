import type { HangarError } from '@hangar/contract';
import { Button } from '@mantine/core';
import { IconCircleX } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { referenceOf } from '../api/errors.ts';
import { CopyButton } from './copy-button.tsx';
import classes from './states.module.css';

export interface ErrorStateProps {
  error: HangarError;
  /** Shown as a button where trying again makes sense. */
  onRetry?: (() => void) | undefined;
  /** Another way out as a button. */
  action?: ReactNode;
}

/** What happened, the way out, the code and the reference. Takes its own place: the rest of the page stays. */
export function ErrorState({ error, onRetry, action }: ErrorStateProps) {
  const reference = referenceOf(error);
  return (
    <div className={classes.error} role="alert">
      <IconCircleX size={16} color="var(--hg-bad)" aria-hidden />
      <div className={classes.errorText}>
        <strong>{error.message}</strong> <span className={classes.wayOut}>{error.wayOut}</span>
        <div className={classes.code}>
          <code>{error.code}</code>
          {reference === undefined ? null : (
            <span>
              reference <code>{reference}</code> <CopyButton text={reference} label="Copy the reference" />
            </span>
          )}
        </div>
      </div>
      {action}
      {onRetry === undefined ? null : (
        <Button variant="default" onClick={onRetry}>
          Retry
        </Button>
      )}
    </div>
  );
}
