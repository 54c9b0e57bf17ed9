import type { HangarError } from '@hangar/contract';
import { Button, Stack } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { Command } from '../../components/command.tsx';
import { ErrorState } from '../../components/error-state.tsx';
import { LinesSkeleton } from '../../components/skeletons.tsx';
import { AuthFrame } from './auth-frame.tsx';

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
