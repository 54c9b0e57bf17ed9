import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useApi } from '../../api/client.tsx';
import { asHangarError } from '../../api/errors.ts';
import { loadable } from '../../api/loadable.ts';
import { useMe } from '../../api/me.ts';
import { DeviceView, normalCode } from './device-view.tsx';

const route = getRouteApi('/device');

/** Where a person approves a program that waits in a terminal (RFC 8628 verification). */
export function DevicePage() {
  const api = useApi();
  const queries = useQueryClient();
  const navigate = route.useNavigate();
  const { user_code } = route.useSearch();
  const me = useMe();
  const code = user_code === undefined ? null : normalCode(user_code);
  const input = { userCode: code ?? '' };
  const request = useQuery(
    api.access.lookAtDevice.queryOptions({
      input,
      enabled: code !== null && me.data !== undefined,
      staleTime: 0,
      // The terminal may give up meanwhile; a page that stays open must say so.
      refetchInterval: (query) => (query.state.data?.status === 'waiting' ? 10_000 : false),
    }),
  );
  const decide = useMutation(
    api.access.decideDevice.mutationOptions({
      onSuccess: (decided) => queries.setQueryData(api.access.lookAtDevice.queryKey({ input }), decided),
    }),
  );
  const asked = loadable(request);
  return (
    <DeviceView
      key={code}
      code={code}
      person={me.data?.user}
      request={me.error ? { ...asked, error: me.error, retry: me.retry } : asked}
      deciding={decide.isPending ? (decide.variables.approve ? 'approve' : 'deny') : null}
      decideError={decide.error ? asHangarError(decide.error) : null}
      onCode={(next) => void navigate({ search: { user_code: next } })}
      onOther={() => void navigate({ search: {} })}
      onDecide={(approve) => decide.mutate({ ...input, approve })}
    />
  );
}
