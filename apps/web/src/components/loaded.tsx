import type { ReactNode } from 'react';
import type { Loadable } from '../api/loadable.ts';
import { ErrorState } from './error-state.tsx';
import { Delayed } from './skeletons.tsx';
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
