import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { type ClusterLiveQuery, HangarError, type PodQuery } from '@hangar/contract';
import type { Logger } from 'pino';
import type { Known, OpenView } from './cluster-view.ts';
import type { Kubernetes } from './kubernetes.ts';

/** What a page shows is made anew no more often than this, however fast the cluster changes. */
const EVERY_MS = 1_000;
/** While the first list comes in, a page sees it grow. */
const GROWING_EVERY_MS = 300;

/** Somebody who follows; frames are whole SSE events. */
export interface Viewer {
  write(frame: string): void;
  /** There is no more here; who comes back is shown what is then. */
  end(): void;
}

interface Channel {
  readonly viewers: Set<Viewer>;
  /** The last frame of each kind, without its times: nobody is sent what they have. */
  readonly sent: Map<string, { same: string; frame: string }>;
  readonly frames: (known: Known) => Promise<ReadonlyMap<string, object>>;
}

type Parts = Awaited<ReturnType<Kubernetes['follow']>>;

/** All who look at the same page of the same cluster are one channel: its answer is made once, and only when it may differ. */
export function createClusterLive(o: { kubernetes: Kubernetes; log: Logger }) {
  const loops = new Map<OpenView, { channels: Map<string, Channel>; ending: AbortController }>();

  async function loop(view: OpenView, channels: Map<string, Channel>, signal: AbortSignal): Promise<void> {
    const release = view.hold();
    try {
      // A view that was stopped is of a context whose settings changed: who looks comes back to the new one.
      while (!signal.aborted && view.isRunning) {
        const known = view.known();
        for (const channel of channels.values()) {
          await tell(channel, known).catch((error: unknown) => {
            o.log.error({ err: error }, 'a page of the cluster cannot be made');
            for (const viewer of channel.viewers) viewer.end();
          });
          // Many pages of a large cluster are much work: requests in between are not kept waiting for all of it.
          await nextTurn();
        }
        await view.untilChanged(known.revision, signal);
        await pause(known.view.isWhole ? EVERY_MS : GROWING_EVERY_MS, signal);
      }
      if (!signal.aborted) for (const channel of channels.values()) for (const viewer of channel.viewers) viewer.end();
    } finally {
      release();
    }
  }

  async function tell(channel: Channel, known: Known): Promise<void> {
    const frames = await channel.frames(known);
    for (const [event, data] of frames) {
      const text = JSON.stringify(data);
      const same = text.replace(/"asOf":"[^"]*"/, '');
      if (channel.sent.get(event)?.same === same) continue;
      const frame = `event: ${event}\ndata: ${text}\n\n`;
      channel.sent.set(event, { same, frame });
      for (const viewer of channel.viewers) viewer.write(frame);
    }
  }

  return {
    /** @throws HangarError cluster_not_connected. Gives what ends it. */
    async join(query: ClusterLiveQuery, viewer: Viewer): Promise<() => void> {
      const parts = await o.kubernetes.follow(query.context);
      const { view } = parts;
      let running = loops.get(view);
      if (running === undefined) {
        running = { channels: new Map(), ending: new AbortController() };
        loops.set(view, running);
      }
      const { channels, ending } = running;
      const key = JSON.stringify(query);
      let channel = channels.get(key);
      const isFirst = channels.size === 0;
      if (channel === undefined) {
        channel = { viewers: new Set(), sent: new Map(), frames: framesFor(parts, query) };
        channels.set(key, channel);
      }
      const joined = channel;
      const leave = () => {
        joined.viewers.delete(viewer);
        if (joined.viewers.size > 0) return;
        channels.delete(key);
        if (channels.size > 0) return;
        ending.abort();
        loops.delete(view);
      };
      channel.viewers.add(viewer);
      for (const { frame } of channel.sent.values()) viewer.write(frame);
      if (isFirst) void loop(view, channels, ending.signal);
      else if (channel.sent.size === 0) {
        view.touch();
        await tell(channel, view.known()).catch((error: unknown) => {
          leave();
          throw error;
        });
      }
      return leave;
    },
    close(): void {
      for (const { ending } of loops.values()) ending.abort();
      loops.clear();
    },
  };
}
export type ClusterLive = ReturnType<typeof createClusterLive>;

function framesFor(parts: Parts, query: ClusterLiveQuery): Channel['frames'] {
  const { show, ...rest } = query;
  const pods: PodQuery = rest;
  const wanted = new Set(show.split(','));
  return async (known) => {
    const frames = new Map<string, object>();
    if (wanted.has('health')) frames.set('health', await parts.health(known));
    // Before the first word there is nothing to show, and a page shows that by itself.
    if (!known.hasBegun) return frames;
    try {
      if (wanted.has('nodes')) frames.set('nodes', parts.nodes(known));
      if (wanted.has('pods')) frames.set('pods', parts.pods(known, pods));
    } catch (error) {
      if (!(error instanceof HangarError)) throw error;
      frames.set('failed', { code: error.code, message: error.message, wayOut: error.wayOut });
    }
    return frames;
  };
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal }).catch(() => undefined);
