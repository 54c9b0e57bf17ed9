import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useApi } from '../../api/client.tsx';
import { loadable } from '../../api/loadable.ts';
import { useMe } from '../../api/me.ts';
import { ProfilesView } from './profiles-view.tsx';

export function ProfilesSection() {
  const api = useApi();
  const queries = useQueryClient();
  const me = useMe();
  const onSuccess = () => queries.invalidateQueries({ queryKey: api.profiles.key() });
  const profiles = useQuery(api.profiles.list.queryOptions({ input: {} }));
  const drivers = useQuery(api.profiles.drivers.queryOptions({ input: {} }));
  const create = useMutation(api.profiles.create.mutationOptions({ onSuccess }));
  const update = useMutation(api.profiles.update.mutationOptions({ onSuccess }));
  const remove = useMutation(api.profiles.remove.mutationOptions({ onSuccess }));
  const makeDefault = useMutation(api.profiles.makeDefault.mutationOptions({ onSuccess }));
  const test = useMutation(api.profiles.test.mutationOptions());
  return (
    <ProfilesView
      profiles={loadable(profiles)}
      drivers={loadable(drivers)}
      isAdmin={me.data?.user.role === 'admin'}
      onCreate={create.mutateAsync}
      onUpdate={update.mutateAsync}
      onRemove={(name) => remove.mutateAsync({ name })}
      onDefault={(name) => makeDefault.mutateAsync({ name })}
      onTest={(name) => test.mutateAsync({ name })}
    />
  );
}
