import { HangarError } from '@hangar/contract/errors';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useApi } from '../../api/client.tsx';
import { loadable } from '../../api/loadable.ts';
import { useIsHere } from '../../components/use-action.ts';
import { useFragmentToken } from './fragment.ts';
import { InviteView } from './invite-view.tsx';

export function InvitePage() {
  const api = useApi();
  const isHere = useIsHere();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const token = useFragmentToken();
  const invite = useQuery(
    api.access.lookAtInvite.queryOptions({ input: { token: token ?? '' }, enabled: token !== null, staleTime: 60_000 }),
  );
  const accept = useMutation(
    api.access.acceptInvite.mutationOptions({
      onSuccess: () => {
        queries.clear();
        if (isHere()) void navigate({ to: '/jobs', replace: true });
      },
    }),
  );
  const looked = loadable(invite);
  const missing =
    token === null ? new HangarError('invite_invalid', { message: 'This address has no token in it.' }) : null;
  return (
    <InviteView
      invite={missing ? { ...looked, error: missing } : looked}
      onAccept={(input) => accept.mutateAsync({ ...input, token: token ?? '' })}
    />
  );
}
