import { Button } from '@mantine/core';
import { type ErrorComponentProps, Link } from '@tanstack/react-router';
import { asHangarError } from '../api/errors.ts';
import { Page, PageHeader } from '../components/page.tsx';
import { EmptyState, ErrorState } from '../components/state/states.tsx';

/** A page that threw while it was drawn: the shell stays, the page can be tried again. */
export function CrashPage({ error, reset }: ErrorComponentProps) {
  return (
    <Page>
      <PageHeader title="This page broke" />
      <ErrorState error={asHangarError(error)} onRetry={reset} />
    </Page>
  );
}

export function MissingPage() {
  return (
    <Page width="narrow">
      <PageHeader title="No such page" />
      <EmptyState
        sentence="There is nothing at this address."
        action={
          <Button component={Link} to="/jobs" variant="default">
            Go to jobs
          </Button>
        }
      />
    </Page>
  );
}
