import { contract, type Invite } from '@hangar/contract';
import { PasswordInput, TextInput } from '@mantine/core';
import { inputSchema } from '../../api/input-schema.ts';
import type { Loadable } from '../../api/loadable.ts';
import { FormFrame } from '../../components/form/form-frame.tsx';
import { useSchemaForm } from '../../components/form/use-schema-form.ts';
import { Loaded } from '../../components/loaded.tsx';
import { LinesSkeleton } from '../../components/skeletons.tsx';
import { Time } from '../../components/time.tsx';
import { AuthFrame } from './auth-frame.tsx';

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
