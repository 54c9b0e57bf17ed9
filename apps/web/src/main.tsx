import './mantine.css';
import './styles.css';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { createApi } from './api/client.tsx';
import { newestOf } from './api/newest.ts';
import { createQueryClient } from './api/query-client.ts';
import { createStreams } from './api/streams/streams.tsx';
import { createClock } from './components/figures/time.tsx';
import { Providers } from './providers.tsx';
import { createAppRouter } from './router.tsx';

const api = createApi(location.origin);
const queries = createQueryClient(() => {
  const { pathname, href } = router.state.location;
  if (/^\/(sign-in|invite|gallery)/.test(pathname)) return;
  void router.navigate({ to: '/sign-in', search: { next: href }, replace: true });
});
// From the first answer on, nothing older takes the place of what is newer.
newestOf(queries, api);
const router = createAppRouter({ api, queries });

// Until the page is here, what index.html paints stays.
await router.load();
const element = document.getElementById('root');
if (element)
  createRoot(element).render(
    <StrictMode>
      <Providers api={api} queries={queries} streams={createStreams()} clock={createClock()}>
        <RouterProvider router={router} />
      </Providers>
    </StrictMode>,
  );
