import type { HangarError } from '@hangar/contract';
import { useEffect, useRef, useState } from 'react';
import { asHangarError } from '../../api/errors.ts';

export interface Action<A extends unknown[]> {
  run: (...input: A) => void;
  pending: boolean;
  error: HangarError | null;
  /** Forgets the error. */
  reset: () => void;
}

/**
 * A button's work: pending while it runs, its error until the next try. `then` runs after a good end, if the page is still there:
 * whoever has gone elsewhere meanwhile is not fetched back. What has to be done in any case belongs to the work.
 */
export function useAction<A extends unknown[], R>(
  work: (...input: A) => Promise<R>,
  then?: (result: R) => void,
): Action<A> {
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<HangarError | null>(null);
  const isHere = useIsHere();
  const run = async (...input: A) => {
    const from = window.location.pathname;
    setPending(true);
    setError(null);
    try {
      const result = await work(...input);
      // A page stays until the next one is loaded, and is the same one for the next job: the address has changed by then.
      if (isHere() && window.location.pathname === from) then?.(result);
    } catch (thrown) {
      if (isHere()) setError(asHangarError(thrown));
    } finally {
      if (isHere()) setPending(false);
    }
  };
  return { run: (...input) => void run(...input), pending, error, reset: () => setError(null) };
}

/** Says whether the component is still on the page. */
export function useIsHere(): () => boolean {
  const here = useRef(true);
  useEffect(() => {
    here.current = true;
    return () => {
      here.current = false;
    };
  }, []);
  return useRef(() => here.current).current;
}
