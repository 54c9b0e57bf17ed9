import type { HangarError } from '@hangar/contract';
import { Button, Stack } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';
import { useApi } from '../../api/client.tsx';
import { asHangarError } from '../../api/errors.ts';
import { Command } from '../../components/actions/copy.tsx';
import { useIsHere } from '../../components/actions/use-action.ts';
import { ErrorState, LinesSkeleton } from '../../components/state/states.tsx';
import { AuthFrame } from './auth-frame.tsx';
import { useFragmentToken } from './fragment.ts';

/** Signs in by the token behind the `#` of a one-time link. */
export function LinkPage() {
  const api = useApi();
  const isHere = useIsHere();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const token = useFragmentToken();
  const asked = useRef(false);
  const signIn = useMutation(
    api.access.signInByLink.mutationOptions({
      onSuccess: (person) => {
        queries.clear();
        // Without a password this was the only way in, so the next page is where one is set.
        if (isHere()) void navigate({ to: person.hasPassword ? '/jobs' : '/settings', replace: true });
      },
    }),
  );
  const { mutate } = signIn;
  useEffect(() => {
    if (token === null || asked.current) return;
    asked.current = true;
    mutate({ token });
  }, [token, mutate]);
  return <LinkView hasToken={token !== null} error={signIn.error ? asHangarError(signIn.error) : null} />;
}

export interface LinkViewProps {
  hasToken: boolean;
  error: HangarError | null;
}

export function LinkView({ hasToken, error }: LinkViewProps) {
  const waiting = hasToken && error === null;
  return (
    <AuthFrame title="Sign-in link" lead={waiting ? 'Signing you in.' : 'A link works once and for a short time.'}>
      {waiting ? (
        <LinesSkeleton lines={2} />
      ) : (
        <Stack gap={14}>
          {error ? <ErrorState error={error} /> : <div>This address has no token in it. Copy the whole link.</div>}
          <div>A new one, on the server's own machine:</div>
          <Command text="hangar server sign-in-link" />
          <Button component={Link} to="/sign-in" variant="default" fullWidth>
            Sign in with a password
          </Button>
        </Stack>
      )}
    </AuthFrame>
  );
}
