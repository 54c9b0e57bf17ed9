import { contract, type ServerInfo } from '@hangar/contract';
import { PasswordInput, Stack, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, useRouter } from '@tanstack/react-router';
import { useApi } from '../../api/client.tsx';
import { type Loadable, loadable } from '../../api/loadable.ts';
import { Command } from '../../components/actions/copy.tsx';
import { useIsHere } from '../../components/actions/use-action.ts';
import { FormFrame } from '../../components/form/form-frame.tsx';
import { inputSchema, useSchemaForm } from '../../components/form/use-schema-form.ts';
import { Callout } from '../../components/state/callout.tsx';
import { ErrorState } from '../../components/state/states.tsx';
import { AuthFrame } from './auth-frame.tsx';
import { localPath } from './fragment.ts';

const route = getRouteApi('/sign-in');

export function SignInPage() {
  const api = useApi();
  const isHere = useIsHere();
  const queries = useQueryClient();
  const router = useRouter();
  const { next } = route.useSearch();
  const info = useQuery(api.system.info.queryOptions({ input: {} }));
  const signIn = useMutation(
    api.access.signIn.mutationOptions({
      onSuccess: () => {
        queries.clear();
        if (isHere()) router.history.push(localPath(next));
      },
    }),
  );
  return <SignInView info={loadable(info)} onSignIn={signIn.mutateAsync} />;
}

const schema = inputSchema(contract.access.signIn);
const EMPTY = { email: '', password: '' };
const SECRETS = ['password'] as const;

export interface SignInViewProps {
  info: Loadable<ServerInfo>;
  onSignIn: (input: { email: string; password: string }) => Promise<unknown>;
}

export function SignInView({ info, onSignIn }: SignInViewProps) {
  const form = useSchemaForm({ schema, initial: EMPTY, keepAs: 'sign-in', secrets: SECRETS, submit: onSignIn });
  return (
    <AuthFrame
      title="Sign in"
      lead={info.data ? `to ${info.data.url.replace(/^https?:\/\//, '')}` : 'with your email and password'}
      foot="Without a password: ask an admin for a sign-in link, or for an invitation if you are new."
    >
      <Stack gap={16}>
        {info.data?.needsFirstSignIn ? (
          <Callout tone="needs">
            Nobody has signed in yet. Use the one-time link the server printed at its start, or print a new one on its
            machine:
            <div style={{ marginTop: 8 }}>
              <Command text="hangar server sign-in-link" />
            </div>
          </Callout>
        ) : null}
        {info.error ? <ErrorState error={info.error} onRetry={info.retry} /> : null}
        <FormFrame form={form} action="Sign in" button={{ fullWidth: true }}>
          <TextInput label="Email" type="email" autoComplete="username" {...form.text('email')} />
          <PasswordInput label="Password" autoComplete="current-password" {...form.text('password')} />
        </FormFrame>
      </Stack>
    </AuthFrame>
  );
}
