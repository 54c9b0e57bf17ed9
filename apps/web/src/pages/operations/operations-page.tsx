import { useQuery } from '@tanstack/react-query';
import { useApi } from '../../api/client.tsx';
import { loadable } from '../../api/loadable.ts';
import { useMe } from '../../api/me.ts';
import { OperationsView } from './operations-view.tsx';

export function OperationsPage() {
  const api = useApi();
  const activity = useQuery(api.activity.list.queryOptions({ input: { limit: 100 } }));
  const me = useMe();
  return <OperationsView activity={loadable(activity)} isAdmin={me.data?.user.role === 'admin'} />;
}
