import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useApi } from '../../api/client.tsx';
import { loadable } from '../../api/loadable.ts';
import { DevicesView } from './devices-view.tsx';

export function DevicesSection() {
  const api = useApi();
  const queries = useQueryClient();
  const devices = useQuery(api.access.listDevices.queryOptions({ input: {} }));
  const remove = useMutation(
    api.access.removeDevice.mutationOptions({
      onSuccess: () => queries.invalidateQueries({ queryKey: api.access.listDevices.key() }),
    }),
  );
  return <DevicesView devices={loadable(devices)} onRemove={(id) => remove.mutateAsync({ id })} />;
}
