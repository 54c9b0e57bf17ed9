import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useApi } from '../../api/client.tsx';
import { asHangarError } from '../../api/errors.ts';
import { useAllActions } from './actions.tsx';
import { type PaletteAction, PaletteView } from './palette-view.tsx';

interface PaletteProps {
  opened: boolean;
  onClose: () => void;
  /** What can be done everywhere. */
  actions: readonly PaletteAction[];
}

export function Palette({ opened, onClose, actions }: PaletteProps) {
  const api = useApi();
  const navigate = useNavigate();
  const [text, setText] = useState('');
  const [asked] = useDebouncedValue(text.trim(), 150);
  const pageActions = useAllActions();
  const found = useQuery(
    api.system.search.queryOptions({
      input: { q: asked },
      enabled: opened && asked !== '',
      placeholderData: keepPreviousData,
      staleTime: 5000,
    }),
  );
  const close = () => {
    setText('');
    onClose();
  };
  return (
    <PaletteView
      opened={opened}
      onClose={close}
      text={text}
      onText={setText}
      actions={[...pageActions, ...actions]}
      hits={text.trim() === '' ? [] : (found.data?.items ?? [])}
      searching={found.isFetching || asked !== text.trim()}
      error={found.error ? asHangarError(found.error) : null}
      onHit={(hit) => void navigate({ href: hit.link })}
    />
  );
}
