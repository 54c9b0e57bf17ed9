import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useApi, useMe } from '../../api/client.tsx';
import { loadable } from '../../api/loadable.ts';
import { useStreams } from '../../api/streams/streams.tsx';
import { useNotice } from '../../components/actions/notices.tsx';
import { CredentialsView } from './account/credentials-view.tsx';
import { DevicesView } from './account/devices-view.tsx';
import { KeysView } from './account/keys-view.tsx';
import { UseView } from './account/use-view.tsx';
import { YouView } from './account/you-view.tsx';
import { PeopleView } from './server/people-view.tsx';
import { PlansView } from './server/plans-view.tsx';
import { ProfilesView } from './server/profiles-view.tsx';

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

export function UseSection() {
  return <UseView me={useMe()} />;
}

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

export function KeysSection() {
  const api = useApi();
  const queries = useQueryClient();
  const onSuccess = () => queries.invalidateQueries({ queryKey: api.access.listApiKeys.key() });
  const keys = useQuery(api.access.listApiKeys.queryOptions({ input: {} }));
  const create = useMutation(api.access.createApiKey.mutationOptions({ onSuccess }));
  const remove = useMutation(api.access.removeApiKey.mutationOptions({ onSuccess }));
  return <KeysView keys={loadable(keys)} onCreate={create.mutateAsync} onRemove={(id) => remove.mutateAsync({ id })} />;
}

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
