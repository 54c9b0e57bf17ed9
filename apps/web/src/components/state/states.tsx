import type { HangarError } from '@hangar/contract';
import { Button } from '@mantine/core';
import { IconCircleX } from '@tabler/icons-react';
import { type ReactNode, useEffect, useState } from 'react';
import { referenceOf } from '../../api/errors.ts';
import type { Loadable } from '../../api/loadable.ts';
import { Command, CopyButton } from '../actions/copy.tsx';
import classes from './states.module.css';

export interface LoadedProps<T> {
  of: Loadable<T>;
  /** In the final layout; appears after 200 ms. */
  skeleton: ReactNode;
  children: (data: T) => ReactNode;
}

/** Loading, error, refetching and live of one piece of data. Old data stays on screen when a refetch fails. */
export function Loaded<T>({ of, skeleton, children }: LoadedProps<T>) {
  const error = of.error ? <ErrorState error={of.error} onRetry={of.retry} /> : null;
  if (of.data === undefined) return error ?? <Delayed>{skeleton}</Delayed>;
  return (
    <div className={classes.loaded} aria-busy={of.refetching}>
      {of.refetching ? <div className={classes.refetching} aria-hidden /> : null}
      {error ? <div style={{ marginBottom: 12 }}>{error}</div> : null}
      {children(of.data)}
    </div>
  );
}

/** Draws nothing for 200 ms: a quick answer shows no skeleton at all. Keeps the place of `height` meanwhile. */
export function Delayed({ children, ms = 200 }: { children: ReactNode; ms?: number }) {
  const [late, setLate] = useState(ms === 0);
  useEffect(() => {
    if (ms === 0) return;
    const timer = setTimeout(() => setLate(true), ms);
    return () => clearTimeout(timer);
  }, [ms]);
  return (
    <div aria-busy className={classes.skeleton} style={late ? undefined : { visibility: 'hidden' }}>
      {children}
    </div>
  );
}

/** One grey bar in the place of a text. */
export function Bone({ width = '100%', height = 10 }: { width?: number | string; height?: number }) {
  return <div className={classes.bone} style={{ width, height }} />;
}

const SHARES = [38, 22, 30, 26, 18, 24];

/** In the layout of a DataTable. */
export function TableSkeleton({ rows = 6, columns = 4 }: { rows?: number; columns?: number }) {
  return (
    <div aria-hidden>
      {Array.from({ length: rows }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: bones have nothing else to tell them apart
        <div className={classes.skeletonRow} key={row}>
          {Array.from({ length: columns }, (_, column) => (
            <Bone
              // biome-ignore lint/suspicious/noArrayIndexKey: bones have nothing else to tell them apart
              key={column}
              width={`${(SHARES[(row + column) % SHARES.length] ?? 20) + (column === 0 ? 20 : 0)}%`}
            />
          ))}
        </div>
      ))}
    </div>
  );
}

/** Lines of a text or a form. */
export function LinesSkeleton({ lines = 4 }: { lines?: number }) {
  return (
    <div aria-hidden style={{ display: 'grid', gap: 14, maxWidth: 560 }}>
      {Array.from({ length: lines }, (_, line) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: bones have nothing else to tell them apart
        <Bone key={line} width={`${90 - ((line * 17) % 45)}%`} />
      ))}
    </div>
  );
}

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

export interface EmptyStateProps {
  icon?: ReactNode;
  /** One sentence: what this is for. */
  sentence: ReactNode;
  /** The one button. */
  action?: ReactNode;
  /** The one command. */
  command?: string;
}

export function EmptyState({ icon, sentence, action, command }: EmptyStateProps) {
  return (
    <div className={classes.empty}>
      {icon === undefined ? null : <div className={classes.emptyIcon}>{icon}</div>}
      <p>{sentence}</p>
      {action}
      {command === undefined ? null : (
        <div className={classes.command}>
          <Command text={command} />
        </div>
      )}
    </div>
  );
}
