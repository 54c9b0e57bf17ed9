import { StreamConnection, type StreamListener, type StreamTiming } from './stream-connection.ts';
import type { HubMessage, TabMessage, Wanted } from './stream-messages.ts';
import { Turns } from './turns.ts';

export interface HubTiming extends StreamTiming {
  /** How long a stream is held when nobody listens: who goes from page to page or from tab to tab takes it up again. */
  readonly lingerMs: number;
  /** A tab that says nothing for so long is gone. */
  readonly tabSilenceMs: number;
  readonly turnMs: number;
}

const TIMING: HubTiming = {
  connectMs: 15_000,
  silenceMs: 45_000,
  lingerMs: 2_000,
  tabSilenceMs: 60_000,
  turnMs: 1_000,
};

export interface HubOptions {
  /**
   * Streams at once, besides that of changes. Over HTTP/1.1 a browser opens six connections to one server, for all its tabs
   * together: some have to be left for everything else that pages ask for.
   */
  readonly places: number;
  readonly fetcher?: typeof fetch;
  readonly timing?: Partial<HubTiming>;
}

interface Tab {
  readonly tell: (message: HubMessage) => void;
  readonly listening: Map<number, { connection: StreamConnection; listener: StreamListener }>;
  person: string | null;
  heardAt: number;
}

/** Holds the streams that tabs want: one for all who want the same. */
export class StreamHub {
  private readonly fetcher: typeof fetch;
  private readonly timing: HubTiming;
  private readonly turns: Turns;
  private readonly tabs = new Set<Tab>();
  /** The older first. */
  private readonly connections = new Set<StreamConnection>();
  private person: string | null = null;

  constructor({ places, fetcher, timing }: HubOptions) {
    this.fetcher = fetcher ?? ((input, init) => fetch(input, init));
    this.timing = { ...TIMING, ...timing };
    this.turns = new Turns(places, this.timing.turnMs);
  }

  /** A tab comes. Returns what hears it. */
  attach(tell: (message: HubMessage) => void): (message: TabMessage) => void {
    const tab: Tab = { tell, listening: new Map(), person: null, heardAt: Date.now() };
    this.tabs.add(tab);
    return (message) => this.hear(tab, message);
  }

  /** Lets go of tabs that ended without a word. */
  sweep(): void {
    const oldest = Date.now() - this.timing.tabSilenceMs;
    for (const tab of this.tabs) if (tab.heardAt < oldest) this.want(tab, []);
  }

  private hear(tab: Tab, message: TabMessage): void {
    tab.heardAt = Date.now();
    switch (message.type) {
      case 'want':
        this.tabs.add(tab);
        tab.person = message.person;
        this.person ??= message.person;
        tab.tell({ type: 'here' });
        // A tab that was left open shows what was somebody else's, and would now be sent what is not.
        if (message.person === this.person) this.want(tab, message.wants);
        else tab.tell({ type: 'over' });
        return;
      case 'person':
        tab.person = message.person;
        if (message.person !== this.person) this.become(message.person, tab);
        return;
      case 'network':
        for (const connection of this.connections)
          if (message.online) connection.retry();
          else connection.lose();
        return;
      case 'retry':
        for (const { connection } of tab.listening.values()) connection.retry();
        return;
      case 'leave':
        this.want(tab, []);
        this.tabs.delete(tab);
    }
  }

  /** Somebody else is signed in: nothing of before goes on. */
  private become(person: string | null, by: Tab): void {
    this.person = person;
    for (const connection of this.connections) connection.close();
    this.connections.clear();
    for (const tab of this.tabs) {
      tab.listening.clear();
      // One that has not said yet whose it is shows nothing of anybody.
      if (tab !== by && tab.person !== null && tab.person !== person) tab.tell({ type: 'over' });
    }
  }

  private want(tab: Tab, wants: readonly Wanted[]): void {
    for (const [id, { connection, listener }] of tab.listening) {
      if (wants.some((wanted) => wanted.id === id)) continue;
      tab.listening.delete(id);
      this.drop(connection, listener);
    }
    for (const wanted of wants) if (!tab.listening.has(wanted.id)) this.listen(tab, wanted);
  }

  private listen(tab: Tab, { id, url, mode, after }: Wanted): void {
    const { tell, listening } = tab;
    const listener: StreamListener = {
      open: () => tell({ type: 'open', id }),
      frames: (frames) => tell({ type: 'frames', id, frames }),
      lost: (heardAt, refusal) => tell({ type: 'lost', id, heardAt, refusal }),
      failed: (refusal) => {
        listening.delete(id);
        tell({ type: 'failed', id, refusal });
      },
    };
    let connection = [...this.connections].find((one) => one.url === url && one.covers(after));
    if (connection === undefined) {
      connection = new StreamConnection({
        ...{ url, mode, after, fetcher: this.fetcher, timing: this.timing, turns: this.turns },
        onMoved: (moved) => this.merge(moved),
        onOver: (over) => this.connections.delete(over),
      });
      this.connections.add(connection);
    }
    listening.set(id, { connection, listener });
    connection.join(listener, after);
  }

  private drop(connection: StreamConnection, listener: StreamListener): void {
    connection.listeners.delete(listener);
    if (connection.listeners.size > 0) return;
    setTimeout(() => {
      if (connection.listeners.size > 0) return;
      this.connections.delete(connection);
      connection.close();
    }, this.timing.lingerMs);
  }

  /** Who began further back has its own stream until it has caught up with one that was there before. */
  private merge(late: StreamConnection): void {
    for (const early of this.connections) {
      if (early === late) return;
      if (early.url !== late.url || !early.covers(late.place)) continue;
      for (const { listening } of this.tabs)
        for (const [id, at] of listening)
          if (at.connection === late) listening.set(id, { connection: early, listener: at.listener });
      for (const listener of late.listeners) early.join(listener, late.place);
      late.listeners.clear();
      late.close();
      this.connections.delete(late);
      return;
    }
  }
}
