import { MantineProvider } from '@mantine/core';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { ClockProvider, stoppedClock } from '../components/figures/time.tsx';
import { Page, PageHeader } from '../components/page.tsx';
import { cssVariablesResolver, theme } from '../theme.ts';
import { entries } from './registry.ts';
import { NOW } from './samples.ts';

const route = getRouteApi('/gallery');

/** Every view in every state. `?entry=ID&scheme=dark` shows one alone, as the browser test photographs it. */
export function GalleryPage() {
  const { entry: id, scheme } = route.useSearch();
  const [clock] = useState(() => stoppedClock(NOW));
  const entry = entries.find((candidate) => candidate.id === id);
  if (!entry) return <Index />;
  const drawn = entry.render();
  return (
    <MantineProvider
      key={entry.id}
      theme={theme}
      cssVariablesResolver={cssVariablesResolver}
      {...(scheme === 'dark' || scheme === 'light' ? { forceColorScheme: scheme } : {})}
    >
      <ClockProvider clock={clock}>
        {entry.frame === 'whole' ? (
          <div data-gallery={entry.id}>{drawn}</div>
        ) : (
          <main data-gallery={entry.id}>
            <Heading title={entry.title} />
            {entry.frame === 'bare' ? drawn : <Page width="wide">{drawn}</Page>}
          </main>
        )}
      </ClockProvider>
    </MantineProvider>
  );
}

/** What is a part of a page only has no heading of the page: here it has one, which is not drawn. */
function Heading({ title }: { title: string }) {
  const [isMissing, setMissing] = useState(false);
  useEffect(() => setMissing(document.querySelector('h1') === null), []);
  return isMissing ? <h1 className="hg-sr">{title}</h1> : null;
}

function Index() {
  return (
    <Page>
      <PageHeader title="Gallery" sub={`${entries.length} views`} />
      <ul data-gallery-index>
        {entries.map((entry) => (
          <li key={entry.id}>
            <Link to="/gallery" search={{ entry: entry.id }} className="hg-link" data-entry={entry.id}>
              {entry.id}
            </Link>{' '}
            {entry.title}
          </li>
        ))}
      </ul>
    </Page>
  );
}
