import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useApi } from '../../api/client.tsx';
import { loadable } from '../../api/loadable.ts';
import { CredentialsView } from './credentials-view.tsx';

export function CredentialsSection() {
  const api = useApi();
  const queries = useQueryClient();
  const onSuccess = () => queries.invalidateQueries({ queryKey: api.credentials.list.key() });
  const credentials = useQuery(api.credentials.list.queryOptions({ input: {} }));
  const create = useMutation(api.credentials.create.mutationOptions({ onSuccess }));
  const remove = useMutation(api.credentials.remove.mutationOptions({ onSuccess }));
  return (
    <CredentialsView
      credentials={loadable(credentials)}
      onCreate={create.mutateAsync}
      onRemove={(name) => remove.mutateAsync({ name })}
    />
  );
}
