import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useApi } from '../../api/client.tsx';
import { loadable } from '../../api/loadable.ts';
import { KeysView } from './keys-view.tsx';

export function KeysSection() {
  const api = useApi();
  const queries = useQueryClient();
  const onSuccess = () => queries.invalidateQueries({ queryKey: api.access.listApiKeys.key() });
  const keys = useQuery(api.access.listApiKeys.queryOptions({ input: {} }));
  const create = useMutation(api.access.createApiKey.mutationOptions({ onSuccess }));
  const remove = useMutation(api.access.removeApiKey.mutationOptions({ onSuccess }));
  return <KeysView keys={loadable(keys)} onCreate={create.mutateAsync} onRemove={(id) => remove.mutateAsync({ id })} />;
}
