import { createContext, type ReactNode, useContext, useEffect, useId, useState } from 'react';
import type { PaletteAction } from './palette-view.tsx';

interface PageActions {
  all: readonly PaletteAction[];
  put: (key: string, actions: readonly PaletteAction[] | null) => void;
}

const ActionsContext = createContext<PageActions>({ all: [], put: () => {} });

export function ActionsProvider({ children }: { children: ReactNode }) {
  const [byKey, setByKey] = useState<Readonly<Record<string, readonly PaletteAction[]>>>({});
  const [put] = useState(() => (key: string, actions: readonly PaletteAction[] | null) => {
    setByKey(({ [key]: _old, ...rest }) => (actions === null ? rest : { ...rest, [key]: actions }));
  });
  return <ActionsContext value={{ all: Object.values(byKey).flat(), put }}>{children}</ActionsContext>;
}

export const useAllActions = () => useContext(ActionsContext).all;

/** Offers what can be done on this page in the palette (`Ctrl-K`) while the page is shown. Pass a memoised list. */
export function usePaletteActions(actions: readonly PaletteAction[]): void {
  const { put } = useContext(ActionsContext);
  const key = useId();
  useEffect(() => {
    put(key, actions);
    return () => put(key, null);
  }, [put, key, actions]);
}
