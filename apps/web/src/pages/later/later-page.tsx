import { Button } from '@mantine/core';
import { Link, useLocation } from '@tanstack/react-router';
import { Page, PageHeader } from '../../components/page.tsx';
import { EmptyState } from '../../components/state/states.tsx';
import { PLACES, type Place } from '../../shell/places.ts';

export function LaterPage() {
  const { pathname } = useLocation();
  const place = PLACES.find(({ to }) => to === pathname);
  return place ? <LaterView place={place} /> : null;
}

/** A capability this version does not have: what it is for, and that it is not here. */
export function LaterView({ place }: { place: Place }) {
  const { Icon } = place;
  return (
    <Page width="narrow">
      <PageHeader title={place.label} />
      <EmptyState
        icon={<Icon size={26} stroke={1.4} />}
        sentence={
          <>
            {place.purpose}
            <br />
            This is not part of this version.
          </>
        }
        action={
          <Button component={Link} to="/jobs" variant="default">
            Go to jobs
          </Button>
        }
      />
    </Page>
  );
}
