import { jsonOf, type StreamEvent } from '@hangar/client/frame';
import type { Me } from '@hangar/contract';
import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { createContext, type ReactNode, useContext, useEffect, useState } from 'react';
import { type Api, useApi } from './client.tsx';
import type { Loadable } from './loadable.ts';
import type { Thing } from './nouns.ts';
import { createPatcher } from './patch.ts';
import { type Streams, useStreams } from './streams/streams.tsx';

export interface LiveState {
  readonly status: 'connecting' | 'open' | 'lost';
  /** When the page last had true data; null before the first connection. */
  readonly freshAt: string | null;
}

interface LiveOptions {
  streams: Streams;
  queries: QueryClient;
  api: Api;
  onState: (state: LiveState) => void;
}

const POLL_MS = 10_000;

/**
 * What changes while a page is looked at: patches the query cache by each frame, fetches everything again after a gap, and polls
 * while there is no connection. Returns the function that ends it.
 */
export function connectLive({ streams, queries, api, onState }: LiveOptions): () => void {
  const patcher = createPatcher(queries, api);
  // Whoever connects has just loaded the page.
  let freshAt = new Date().toISOString();
  let wasOpen = false;
  let poll: ReturnType<typeof setInterval> | undefined;
  const stopPolling = () => {
    clearInterval(poll);
    poll = undefined;
  };

  const stop = streams.follow('/api/events', 'changes', {
    open() {
      stopPolling();
      onState({ status: 'open', freshAt });
      if (wasOpen) patcher.missed();
      else patcher.opened();
      wasOpen = true;
    },
    frame(frame) {
      // The server itself missed something.
      if (frame.event === 'resync') patcher.missed();
      else {
        const thing = parse(frame);
        if (thing !== undefined) patcher.changed(frame.event, thing);
      }
    },
    lost({ heardAt }) {
      // As long as the connection stood, everything on the page was true.
      if (heardAt !== null) freshAt = new Date(heardAt).toISOString();
      wasOpen = true;
      onState({ status: 'lost', freshAt });
      poll ??= startPolling(queries);
    },
    failed() {
      // Nobody is signed in any more, most likely: whatever is asked for next tells.
      stopPolling();
      void queries.invalidateQueries();
    },
  });
  return () => {
    stop();
    stopPolling();
    patcher.stop();
  };
}

/** What is looked at is asked for again and again, until the timer is cleared. */
const startPolling = (queries: QueryClient): ReturnType<typeof setInterval> =>
  setInterval(() => {
    if (document.visibilityState === 'visible') void queries.invalidateQueries({ refetchType: 'active' });
  }, POLL_MS);

/** A frame is the object as the server gives it; a frame that was cut off on the way is none. */
function parse(frame: StreamEvent): Thing | undefined {
  const value = jsonOf(frame);
  return isThing(value) ? value : undefined;
}

const isThing = (value: unknown): value is Thing =>
  typeof value === 'object' &&
  value !== null &&
  'id' in value &&
  typeof value.id === 'string' &&
  'version' in value &&
  typeof value.version === 'number';

const QUIET: LiveState = { status: 'connecting', freshAt: null };
const AWAY: LiveState = { status: 'lost', freshAt: null };
const LiveContext = createContext<LiveState>(QUIET);

export const useLive = (): LiveState => useContext(LiveContext);

/** Connects as soon as it is known who is signed in. */
export function LiveProvider({ me, children }: { me: Loadable<Me>; children: ReactNode }) {
  const api = useApi();
  const streams = useStreams();
  const queries = useQueryClient();
  const [state, setState] = useState(QUIET);
  const person = me.data?.user.id;
  const isAway = person === undefined && me.error?.kind === 'unavailable';

  // Without a person there is no stream that tells when the server is back.
  useEffect(() => {
    if (!isAway) return;
    setState(AWAY);
    const poll = startPolling(queries);
    return () => clearInterval(poll);
  }, [isAway, queries]);

  useEffect(() => {
    if (person === undefined) return;
    streams.signedIn(person);
    return connectLive({ streams, queries, api, onState: setState });
  }, [person, streams, queries, api]);
  return <LiveContext value={state}>{children}</LiveContext>;
}
