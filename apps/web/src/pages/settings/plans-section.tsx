import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useApi } from '../../api/client.tsx';
import { loadable } from '../../api/loadable.ts';
import { useMe } from '../../api/me.ts';
import { PlansView } from './plans-view.tsx';

export function PlansSection() {
  const api = useApi();
  const queries = useQueryClient();
  const me = useMe();
  const plans = useQuery(api.access.listPlans.queryOptions({ input: {} }));
  const put = useMutation(
    api.access.putPlan.mutationOptions({
      onSuccess: async () => {
        await queries.invalidateQueries({ queryKey: api.access.listPlans.key() });
        await queries.invalidateQueries({ queryKey: api.access.me.key() });
      },
    }),
  );
  return <PlansView plans={loadable(plans)} isAdmin={me.data?.user.role === 'admin'} onPut={put.mutateAsync} />;
}
