import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useApi } from '../../api/client.tsx';
import { useMe } from '../../api/me.ts';
import { useStreams } from '../../api/streams/streams.tsx';
import { useNotice } from '../../components/notices.tsx';
import { YouView } from './you-view.tsx';

export function YouSection() {
  const api = useApi();
  const queries = useQueryClient();
  const streams = useStreams();
  const navigate = useNavigate();
  const notify = useNotice();
  const me = useMe();
  const again = () => queries.invalidateQueries({ queryKey: api.access.me.key() });
  const update = useMutation(
    api.access.updateMe.mutationOptions({
      onSuccess: async () => {
        await again();
        notify({ text: 'Saved' });
      },
    }),
  );
  const setPassword = useMutation(
    api.access.setPassword.mutationOptions({
      onSuccess: async () => {
        await again();
        notify({ text: 'Password set' });
      },
    }),
  );
  const everywhere = useMutation(
    api.access.signOutEverywhere.mutationOptions({
      onSuccess: () => {
        streams.signedOut();
        queries.clear();
        void navigate({ to: '/sign-in', search: {} });
      },
    }),
  );
  return (
    <YouView
      me={me}
      onUpdate={update.mutateAsync}
      onPassword={setPassword.mutateAsync}
      onSignOutEverywhere={() => everywhere.mutateAsync({})}
    />
  );
}
