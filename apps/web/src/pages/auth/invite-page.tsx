import { contract, type Invite } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { PasswordInput, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useApi } from '../../api/client.tsx';
import { type Loadable, loadable } from '../../api/loadable.ts';
import { useIsHere } from '../../components/actions/use-action.ts';
import { Time } from '../../components/figures/time.tsx';
import { FormFrame } from '../../components/form/form-frame.tsx';
import { inputSchema, useSchemaForm } from '../../components/form/use-schema-form.ts';
import { LinesSkeleton, Loaded } from '../../components/state/states.tsx';
import { AuthFrame } from './auth-frame.tsx';
import { useFragmentToken } from './fragment.ts';

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

const schema = inputSchema(contract.access.acceptInvite).omit({ token: true });
const EMPTY = { name: '', email: '', password: '' };
const SECRETS = ['password'] as const;

export interface InviteViewProps {
  invite: Loadable<Invite>;
  onAccept: (input: { name: string; email: string; password: string }) => Promise<unknown>;
}

export function InviteView({ invite, onAccept }: InviteViewProps) {
  const form = useSchemaForm({ schema, initial: EMPTY, keepAs: 'invite', secrets: SECRETS, submit: onAccept });
  return (
    <AuthFrame
      title="You are invited"
      {...(invite.data
        ? {
            lead: (
              <>
                {invite.data.createdBy} invites you to this server as {invite.data.role}. The invitation ends{' '}
                <Time at={invite.data.expiresAt} />.
              </>
            ),
          }
        : {})}
    >
      <Loaded of={invite} skeleton={<LinesSkeleton lines={4} />}>
        {() => (
          <FormFrame form={form} action="Join" button={{ fullWidth: true }}>
            <TextInput label="Name" autoComplete="name" {...form.text('name')} />
            <TextInput label="Email" type="email" autoComplete="username" {...form.text('email')} />
            <PasswordInput
              label="Password"
              description="At least 10 characters"
              autoComplete="new-password"
              {...form.text('password')}
            />
          </FormFrame>
        )}
      </Loaded>
    </AuthFrame>
  );
}
