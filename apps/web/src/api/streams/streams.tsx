import { BackOff } from '@hangar/client/back-off';
import type { StreamEvent } from '@hangar/client/frame';
import { fromWire, type HangarError } from '@hangar/contract/errors';
import { createContext, useContext } from 'react';
import { asHangarError } from '../errors.ts';
import type { HubOptions } from './stream-hub.ts';
import type { HubMessage, Refusal, StreamMode, TabMessage, Wanted } from './stream-messages.ts';

export interface Follower {
  /** The stream stands; said again when it stands again. What changed before is not in the frames of a stream of changes. */
  open?(): void;
  frame(frame: StreamEvent): void;
  /** It is tried again by itself. */
  lost?(at: { heardAt: number | null; error: HangarError | null }): void;
  /** It is of no use to try again; nothing is said after this. */
  failed?(error: HangarError): void;
}

interface Following {
  readonly url: string;
  readonly mode: StreamMode;
  readonly follower: Follower;
  after: string | null;
}

/** Who holds the streams, as a tab speaks with it. */
export interface StreamLink {
  post(message: TabMessage): void;
  /** All tabs speak with the same one. It is another program and may be gone. */
  readonly isShared: boolean;
}
export type Connect = (onMessage: (message: HubMessage) => void, onGone: () => void) => StreamLink;

const ALIVE_MS = 10_000;
/** A worker that has not answered yet is asked sooner: it may be that this browser never loads it. */
const FIRST_MS = 1_500;
const UNANSWERED_MOST = 3;

/**
 * Every stream of a page. All tabs of a browser together hold each one once; a tab that nobody looks at holds none, and goes on
 * where it was when it is shown again.
 */
export class Streams {
  private readonly connect: Connect;
  private readonly onOver: () => void;
  private readonly followed = new Map<number, Following>();
  private next = 1;
  private link: StreamLink | null = null;
  private person: string | null = null;
  private isShown = true;
  private isDue = false;
  private wantsSome = false;
  private unanswered = 0;
  private wasAnswered = false;
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** `onOver`: what the page shows belongs to somebody who is no longer signed in. */
  constructor(o: { connect: Connect; onOver: () => void }) {
    this.connect = o.connect;
    this.onOver = o.onOver;
  }

  /** Follows a stream until the function that it answers is called; `after` is the id of the last frame that is here. */
  follow(url: string, mode: StreamMode, follower: Follower, after: string | null = null): () => void {
    const id = this.next;
    this.next += 1;
    this.followed.set(id, { url, mode, follower, after });
    this.say();
    return () => {
      if (this.followed.delete(id)) this.say();
    };
  }

  /** The server says who is signed in. */
  signedIn(person: string): void {
    if (this.person !== null && this.person !== person) {
      this.onOver();
      return;
    }
    this.person = person;
    this.speak({ type: 'person', person });
    this.say();
  }

  signedOut(): void {
    this.person = null;
    this.speak({ type: 'person', person: null });
    this.say();
  }

  show(isShown: boolean): void {
    this.isShown = isShown;
    this.say();
  }

  /** The page goes, for good or into the cache of the browser. */
  leave(): void {
    this.isShown = false;
    this.link?.post({ type: 'leave' });
    this.wantsSome = false;
  }

  network(online: boolean): void {
    this.link?.post({ type: 'network', online });
  }

  /** Whatever waits before it tries again need not. */
  retry(): void {
    this.link?.post({ type: 'retry' });
  }

  /** What is wanted is said once for all that begins and ends in one go. */
  private say(): void {
    if (this.isDue) return;
    this.isDue = true;
    queueMicrotask(() => {
      this.isDue = false;
      this.sayNow();
    });
  }

  private sayNow(): void {
    clearTimeout(this.timer);
    const { person } = this;
    const wants: Wanted[] = [];
    if (this.isShown && person !== null)
      for (const [id, { url, mode, after }] of this.followed) wants.push({ id, url, mode, after });
    if (person !== null && (wants.length > 0 || this.wantsSome)) this.speak({ type: 'want', person, wants });
    this.wantsSome = wants.length > 0;
    if (!this.wantsSome || this.link?.isShared !== true) return;
    this.unanswered += 1;
    this.timer = setTimeout(
      () => {
        if (this.unanswered >= UNANSWERED_MOST) this.holdAlone();
        this.sayNow();
      },
      this.wasAnswered ? ALIVE_MS : FIRST_MS,
    );
  }

  private speak(message: TabMessage): void {
    this.link ??= this.connect((told) => this.hear(told), this.holdAlone);
    this.link.post(message);
  }

  /** Without the worker that all share, the tab holds its streams itself. */
  private readonly holdAlone = (): void => {
    if (this.link?.isShared !== true) return;
    this.link = connectAlone((told) => this.hear(told));
    this.unanswered = 0;
    this.say();
  };

  private hear(message: HubMessage): void {
    switch (message.type) {
      case 'here':
        this.unanswered = 0;
        this.wasAnswered = true;
        return;
      case 'over':
        if (this.person !== null) this.onOver();
        return;
      case 'frames':
        this.take(message.id, message.frames);
        return;
      case 'open':
        this.followed.get(message.id)?.follower.open?.();
        return;
      case 'lost': {
        const error = message.refusal === null ? null : errorOf(message.refusal);
        this.followed.get(message.id)?.follower.lost?.({ heardAt: message.heardAt, error });
        return;
      }
      case 'failed': {
        const { follower } = this.followed.get(message.id) ?? {};
        this.followed.delete(message.id);
        follower?.failed?.(errorOf(message.refusal));
      }
    }
  }

  private take(id: number, frames: readonly StreamEvent[]): void {
    for (const frame of frames) {
      const following = this.followed.get(id);
      if (following === undefined) return;
      following.after = frame.id ?? following.after;
      following.follower.frame(frame);
    }
  }
}

const errorOf = ({ status, body }: Refusal): HangarError => fromWire(body) ?? asHangarError({ status });

/** A hub of the tab's own, loaded by those that need one. Places are few: every tab that is looked at has as many. */
export function connectAlone(
  onMessage: (message: HubMessage) => void,
  options: HubOptions = { places: 1 },
): StreamLink {
  let wants: readonly Wanted[] = [];
  const loading = new BackOff({
    signal: new AbortController().signal,
    isPassing: () => true,
    onLost() {
      for (const { id } of wants) onMessage({ type: 'lost', id, heardAt: null, refusal: null });
    },
  });
  const hear = loading
    .through(() => import('./stream-hub.ts'))
    // As from a worker: what a page throws is no break of the stream.
    .then(({ StreamHub }) => new StreamHub(options).attach((told) => queueMicrotask(() => onMessage(told))));
  return {
    isShared: false,
    post(message) {
      if (message.type === 'want') wants = message.wants;
      void hear.then((tell) => tell(message));
    },
  };
}

/** The worker that all tabs share. Browsers without one (on phones, where one tab is looked at) hold the streams of a tab in the tab. */
export const connectShared: Connect = (onMessage, onGone) => {
  if (!('SharedWorker' in globalThis)) return connectAlone(onMessage);
  try {
    const worker = new SharedWorker(new URL('./stream-worker.ts', import.meta.url), {
      type: 'module',
      name: 'streams',
    });
    worker.onerror = onGone;
    worker.port.onmessage = ({ data }: MessageEvent<HubMessage>) => onMessage(data);
    return { post: (message) => worker.port.postMessage(message), isShared: true };
  } catch {
    return connectAlone(onMessage);
  }
};

/** The streams of this page, which know whether it is looked at and online. */
export function createStreams(): Streams {
  const streams = new Streams({ connect: connectShared, onOver: () => location.reload() });
  const look = () => streams.show(document.visibilityState === 'visible');
  document.addEventListener('visibilitychange', look);
  addEventListener('pageshow', look);
  addEventListener('pagehide', () => streams.leave());
  addEventListener('online', () => streams.network(true));
  addEventListener('offline', () => streams.network(false));
  look();
  return streams;
}

const StreamsContext = createContext<Streams | null>(null);
export const StreamsProvider = StreamsContext;

export function useStreams(): Streams {
  const streams = useContext(StreamsContext);
  if (streams === null) throw new Error('useStreams needs a StreamsProvider above it');
  return streams;
}
