import { MantineProvider } from '@mantine/core';
import { type QueryClient, QueryClientProvider } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { type Api, ApiProvider } from './api/client.tsx';
import { type Streams, StreamsProvider } from './api/streams/streams.tsx';
import { NoticeProvider } from './components/actions/notices.tsx';
import { type Clock, ClockProvider } from './components/figures/time.tsx';
import { cssVariablesResolver, theme } from './theme.ts';

interface ProvidersProps {
  api: Api;
  queries: QueryClient;
  streams: Streams;
  clock: Clock;
  children: ReactNode;
}

/** What every page stands in. */
export function Providers({ api, queries, streams, clock, children }: ProvidersProps) {
  return (
    <MantineProvider theme={theme} cssVariablesResolver={cssVariablesResolver} defaultColorScheme="auto">
      <QueryClientProvider client={queries}>
        <ApiProvider api={api}>
          <StreamsProvider value={streams}>
            <ClockProvider clock={clock}>
              <NoticeProvider>{children}</NoticeProvider>
            </ClockProvider>
          </StreamsProvider>
        </ApiProvider>
      </QueryClientProvider>
    </MantineProvider>
  );
}
