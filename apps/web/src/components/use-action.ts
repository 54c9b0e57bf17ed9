import type { HangarError } from '@hangar/contract';
import { useState } from 'react';
import { asHangarError } from '../api/errors.ts';

export interface Action<A extends unknown[]> {
  run: (...input: A) => void;
  pending: boolean;
  error: HangarError | null;
  /** Forgets the error. */
  reset: () => void;
}

/** A button's work: pending while it runs, its error until the next try. `then` runs after a good end. */
export function useAction<A extends unknown[], R>(
  work: (...input: A) => Promise<R>,
  then?: (result: R) => void,
): Action<A> {
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<HangarError | null>(null);
  const run = async (...input: A) => {
    setPending(true);
    setError(null);
    try {
      const result = await work(...input);
      then?.(result);
    } catch (thrown) {
      setError(asHangarError(thrown));
    } finally {
      setPending(false);
    }
  };
  return { run: (...input) => void run(...input), pending, error, reset: () => setError(null) };
}
