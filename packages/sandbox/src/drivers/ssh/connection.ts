import { HangarError, type SshSettings } from '@hangar/contract';
import { type Master, type SshClient, startMaster } from './master.ts';

/** sshd lets one connection have 10 sessions when nobody changed it; one is the master's own. */
const SESSIONS_MOST = 8;
const IDLE_MS = 300_000;

/** A place for one session. It is given back once, when the session is over. */
export interface Place {
  readonly master: Master;
  giveBack(): void;
  /** Its session began. */
  began(): void;
  /**
   * The machine let this connection have no more sessions: it is asked for no more than it has now. @throws HangarError driver_busy for one
   * that never had a session
   */
  refused(): void;
}

/** All connections to one machine with one key. */
export interface Connection {
  /** @throws HangarError driver_unavailable, driver_auth_failed, host_key_changed, driver_busy */
  place(signal: AbortSignal): Promise<Place>;
  close(): Promise<void>;
}

interface Held {
  readonly master: Master;
  used: number;
  most: number;
  served: boolean;
  idle: NodeJS.Timeout | null;
}

/**
 * Shares masters among sessions. One is started at a time, and all that wait for it hear how that went: so a cold start of many signs in
 * once, the first contact is over before the second begins, and a machine that is away is asked once.
 */
export function createConnection(
  client: SshClient,
  settings: SshSettings,
  secret: () => Promise<string | null>,
): Connection {
  const masters = new Set<Held>();
  const closing = new AbortController();
  let starting: Promise<void> | null = null;

  async function start(): Promise<void> {
    const master = await startMaster(client, settings, secret, closing.signal);
    const held: Held = { master, used: 0, most: SESSIONS_MOST, served: false, idle: null };
    masters.add(held);
    rest(held);
    void master.over.then(() => {
      if (held.idle) clearTimeout(held.idle);
      masters.delete(held);
    });
  }

  function rest(held: Held): void {
    if (held.idle) clearTimeout(held.idle);
    held.idle = null;
    if (held.used > 0) return;
    held.idle = setTimeout(() => {
      held.most = 0;
      void held.master.close();
    }, IDLE_MS).unref();
  }

  function take(): Place | null {
    const held = [...masters].find(({ master, used, most }) => !master.isOver() && used < most);
    if (!held) return null;
    held.used += 1;
    rest(held);
    let given = false;
    return {
      master: held.master,
      giveBack() {
        if (given) return;
        given = true;
        held.used -= 1;
        rest(held);
      },
      began() {
        held.served = true;
      },
      refused() {
        // What was started by a session and lives on keeps the session in the machine's count, also when nobody listens any more.
        held.most = Math.min(held.most, given ? held.used : held.used - 1);
        if (held.most > 0) return;
        void held.master.close();
        if (held.served) return;
        throw new HangarError('driver_busy', {
          message: 'The machine gives a connection only one session.',
          wayOut: 'Set MaxSessions to 10 in the configuration of its SSH server.',
        });
      },
    };
  }

  return {
    async place(signal) {
      for (;;) {
        signal.throwIfAborted();
        closing.signal.throwIfAborted();
        const place = take();
        if (place) return place;
        // The start is everybody's: whoever gives up waiting does not end it for the others.
        starting ??= start().finally(() => {
          starting = null;
        });
        await orAborted(starting, signal);
      }
    },

    async close() {
      closing.abort(new HangarError('driver_unavailable', { message: 'The server is stopping.' }));
      await starting?.catch(() => undefined);
      await Promise.all([...masters].map(({ master }) => master.close()));
    },
  };
}

/** What the work answers, or the reason of the signal as soon as it aborts. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
