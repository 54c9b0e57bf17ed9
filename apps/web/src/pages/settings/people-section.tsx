import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useApi } from '../../api/client.tsx';
import { loadable } from '../../api/loadable.ts';
import { PeopleView } from './people-view.tsx';

export function PeopleSection() {
  const api = useApi();
  const queries = useQueryClient();
  const peopleAgain = () => queries.invalidateQueries({ queryKey: api.access.listPeople.key() });
  const invitesAgain = () => queries.invalidateQueries({ queryKey: api.access.listInvites.key() });
  const people = useQuery(api.access.listPeople.queryOptions({ input: {} }));
  const invites = useQuery(api.access.listInvites.queryOptions({ input: {} }));
  const plans = useQuery(api.access.listPlans.queryOptions({ input: {} }));
  const update = useMutation(api.access.updatePerson.mutationOptions({ onSuccess: peopleAgain }));
  const link = useMutation(api.access.createSignInLink.mutationOptions());
  const invite = useMutation(api.access.createInvite.mutationOptions({ onSuccess: invitesAgain }));
  const takeBack = useMutation(api.access.removeInvite.mutationOptions({ onSuccess: invitesAgain }));
  return (
    <PeopleView
      people={loadable(people)}
      invites={loadable(invites)}
      plans={plans.data?.items ?? []}
      onUpdate={update.mutateAsync}
      onLink={(id) => link.mutateAsync({ id })}
      onInvite={(role) => invite.mutateAsync({ role })}
      onTakeBack={(id) => takeBack.mutateAsync({ id })}
    />
  );
}
