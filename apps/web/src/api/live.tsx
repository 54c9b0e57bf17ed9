import type { Activity, Job } from '@hangar/contract';
import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { createContext, type ReactNode, useContext, useEffect, useState } from 'react';
import { type Api, useApi } from './client.tsx';
import { createPatcher } from './patch.ts';

export interface LiveState {
  readonly status: 'connecting' | 'open' | 'lost';
  /** When the page last had true data; null before the first connection. */
  readonly freshAt: string | null;
}

type ActivityListener = (activity: Activity) => void;

interface LiveOptions {
  url: string;
  queries: QueryClient;
  api: Api;
  onState: (state: LiveState) => void;
  onActivity: ActivityListener;
}

const RECONNECT_MS = [1000, 2000, 4000, 8000, 15_000];
const POLL_MS = 10_000;
/** The server says at least each 15 s that it is alive; longer silence is a loss that no error tells of. */
const SILENCE_MS = 40_000;
const CONNECT_MS = 15_000;

/**
 * The one connection of a page: patches the query cache by each frame, fetches everything again after a gap, and polls while
 * there is no connection. Returns the function that ends it.
 */
export function connectLive({ url, queries, api, onState, onActivity }: LiveOptions): () => void {
  const patcher = createPatcher(queries, api);
  let source: EventSource | undefined;
  let attempt = 0;
  // Whoever connects has just loaded the page.
  let freshAt = new Date().toISOString();
  let isOpen = false;
  let hadGap = false;
  let stopped = false;
  let reconnect: ReturnType<typeof setTimeout> | undefined;
  let poll: ReturnType<typeof setInterval> | undefined;
  let silence: ReturnType<typeof setTimeout> | undefined;

  let heardAt = Date.now();

  const alive = () => {
    heardAt = Date.now();
    clearTimeout(silence);
    silence = setTimeout(() => lost(heardAt), isOpen ? SILENCE_MS : CONNECT_MS);
  };
  /** As long as the connection stood, everything on the page was true. */
  const lost = (stoodUntil: number) => {
    source?.close();
    clearTimeout(silence);
    if (stopped) return;
    if (isOpen) freshAt = new Date(stoodUntil).toISOString();
    isOpen = false;
    hadGap = true;
    onState({ status: 'lost', freshAt });
    poll ??= setInterval(() => void queries.invalidateQueries({ refetchType: 'active' }), POLL_MS);
    clearTimeout(reconnect);
    reconnect = setTimeout(open, RECONNECT_MS[Math.min(attempt, RECONNECT_MS.length - 1)]);
    attempt += 1;
  };
  const lostNow = () => lost(Date.now());
  const open = () => {
    source = new EventSource(url, { withCredentials: true });
    alive();
    source.onopen = () => {
      attempt = 0;
      clearInterval(poll);
      poll = undefined;
      isOpen = true;
      alive();
      onState({ status: 'open', freshAt });
      if (hadGap) void queries.invalidateQueries();
      else patcher.opened();
      hadGap = false;
    };
    source.onerror = () => {
      if (source?.readyState !== EventSource.CONNECTING || attempt === 0) lostNow();
    };
    source.addEventListener('alive', alive);
    // The server itself missed something.
    source.addEventListener('resync', () => void queries.invalidateQueries());
    source.addEventListener('job', (event: MessageEvent<string>) => {
      alive();
      const job = parse<Job>(event.data);
      if (job !== undefined) patcher.job(job);
    });
    source.addEventListener('activity', (event: MessageEvent<string>) => {
      alive();
      const activity = parse<Activity>(event.data);
      if (activity === undefined) return;
      patcher.activity(activity);
      onActivity(activity);
    });
  };
  const online = () => {
    attempt = 0;
    if (source?.readyState !== EventSource.OPEN) lostNow();
  };

  addEventListener('online', online);
  addEventListener('offline', lostNow);
  open();
  return () => {
    stopped = true;
    patcher.stop();
    removeEventListener('online', online);
    removeEventListener('offline', lostNow);
    clearTimeout(reconnect);
    clearInterval(poll);
    clearTimeout(silence);
    source?.close();
  };
}

/** A frame is the object as the server gives it; a frame that was cut off on the way is none. */
function parse<T extends { id: string }>(text: string): T | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isWithId<T>(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const isWithId = <T extends { id: string }>(value: unknown): value is T =>
  typeof value === 'object' && value !== null && 'id' in value && typeof value.id === 'string';

interface Live {
  state: LiveState;
  /** Calls back on each activity that changes; returns the function that stops it. */
  onActivity: (listener: ActivityListener) => () => void;
}

const QUIET: Live = { state: { status: 'connecting', freshAt: null }, onActivity: () => () => {} };
const LiveContext = createContext<Live>(QUIET);

export const useLive = (): Live => useContext(LiveContext);

/** Opens the connection while `enabled`: there is no sense in asking before anybody is signed in. */
export function LiveProvider({ enabled, children }: { enabled: boolean; children: ReactNode }) {
  const api = useApi();
  const queries = useQueryClient();
  const [state, setState] = useState<LiveState>(QUIET.state);
  const [listeners] = useState(() => new Set<ActivityListener>());
  const [onActivity] = useState(() => (listener: ActivityListener) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  });
  useEffect(() => {
    if (!enabled) return;
    return connectLive({
      url: '/api/events',
      queries,
      api,
      onState: setState,
      onActivity: (activity) => {
        for (const listener of listeners) listener(activity);
      },
    });
  }, [enabled, queries, api, listeners]);
  return <LiveContext value={{ state, onActivity }}>{children}</LiveContext>;
}
