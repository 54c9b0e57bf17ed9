import { setTimeout as sleep } from 'node:timers/promises';
import type { StreamEvent } from '@hangar/client/frame';
import { HangarError, toWire } from '@hangar/contract';
import { expect, it } from 'vitest';
import { type HubTiming, StreamHub } from './stream-hub.ts';
import type { StreamMode } from './stream-messages.ts';
import { type Connect, connectAlone, Streams } from './streams.tsx';

interface Held {
  readonly url: string;
  readonly after: string | null;
  send(text: string): void;
  cut(): void;
}

/** A server of streams: keeps what was asked, and what is held open. */
function serverOf(answer?: (url: string, times: number) => Response | null) {
  const asked: string[] = [];
  const open = new Set<Held>();
  let most = 0;
  const fetcher: typeof fetch = async (input, init) => {
    const url = String(input);
    const after = new Headers(init?.headers).get('last-event-id');
    asked.push(after === null ? url : `${url} ${after}`);
    const other = answer?.(url, asked.length);
    if (other) return other;
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const held: Held = {
      ...{ url, after },
      send: (text) => void writer.write(new TextEncoder().encode(text)).catch(() => {}),
      cut() {
        open.delete(held);
        void writer.close().catch(() => {});
      },
    };
    init?.signal?.addEventListener('abort', () => {
      open.delete(held);
      void writer.abort(init.signal?.reason).catch(() => {});
    });
    open.add(held);
    most = Math.max(most, open.size);
    return new Response(readable, { headers: { 'content-type': 'text/event-stream; charset=utf-8' } });
  };
  const held = (url: string): Held => {
    const found = [...open].find((one) => one.url === url);
    if (found === undefined) throw new Error(`nobody follows ${url}`);
    return found;
  };
  return { asked, open, fetcher, held, most: () => most };
}

const timing: Partial<HubTiming> = { pauses: [5], lingerMs: 5, turnMs: 20 };

function browserOf(fetcher: typeof fetch, o: { places?: number; timing?: Partial<HubTiming> } = {}) {
  const hub = new StreamHub({ places: o.places ?? 3, fetcher, timing: { ...timing, ...o.timing } });
  const over: string[] = [];
  /** Messages arrive later, as from a worker. */
  const connect: Connect = (onMessage) => {
    const post = hub.attach((message) => setTimeout(() => onMessage(message), 0));
    return { post: (message) => setTimeout(() => post(message), 0), isShared: true };
  };
  const tab = (person = 'u_ada', name = 'tab') => {
    const streams = new Streams({ connect, onOver: () => over.push(name) });
    streams.signedIn(person);
    return streams;
  };
  return { tab, over, hub };
}

function read(streams: Streams, url: string, mode: StreamMode = 'log', after: string | null = null) {
  const texts: string[] = [];
  const said: string[] = [];
  const stop = streams.follow(
    url,
    mode,
    {
      open: () => said.push('open'),
      frame: (frame: StreamEvent) => texts.push(frame.data),
      lost: () => said.push('lost'),
      failed: (error) => said.push(error.code),
    },
    after,
  );
  return { texts, said, stop };
}
const frame = (id: number | string, data: string) => `id: ${id}\ndata: ${data}\n\n`;

it('one stream serves all tabs that want the same; who joins later misses nothing', async () => {
  const server = serverOf();
  const { tab } = browserOf(server.fetcher);
  const first = read(tab(), '/log', 'log', '2');
  await expect.poll(() => server.open.size).toBe(1);
  server.held('/log').send(frame(3, 'three') + frame(5, 'five') + frame(6, 'six'));
  await expect.poll(() => first.texts).toEqual(['three', 'five', 'six']);
  const others = Array.from({ length: 7 }, () => read(tab(), '/log', 'log', '4'));
  for (const other of others) await expect.poll(() => other.texts).toEqual(['five', 'six']);
  server.held('/log').send(frame(7, 'seven'));
  for (const other of [first, ...others]) await expect.poll(() => other.texts.at(-1)).toBe('seven');
  expect(server.asked).toEqual(['/log 2']);
});

it('who begins further back than what is kept catches up alone, then shares', async () => {
  const server = serverOf();
  const { tab } = browserOf(server.fetcher);
  const near = read(tab(), '/log', 'log', '100');
  await expect.poll(() => server.open.size).toBe(1);
  const far = read(tab(), '/log', 'log', '10');
  await expect.poll(() => server.open.size).toBe(2);
  const [early, late] = [...server.open];
  early?.send(frame(101, 'a'));
  late?.send(frame(60, 'b'));
  await expect.poll(() => far.texts).toEqual(['b']);
  expect(server.open.size).toBe(2);
  late?.send(frame(100, 'c'));
  await expect.poll(() => server.open.size).toBe(1);
  early?.send(frame(102, 'd'));
  await expect.poll(() => near.texts).toEqual(['a', 'd']);
  await expect.poll(() => far.texts).toEqual(['b', 'c', 'a', 'd']);
});

it('tabs that are opened at once are all of the same person, whoever says so first', async () => {
  const server = serverOf();
  const { tab, over } = browserOf(server.fetcher);
  // All are attached before the first of them is heard.
  const texts = Array.from({ length: 8 }, () => read(tab(), '/log', 'log', '0'));
  for (const { said } of texts) await expect.poll(() => said).toEqual(['open']);
  expect(over).toEqual([]);
});

it('a tab that is closed takes nothing from the others', async () => {
  const server = serverOf();
  const { tab } = browserOf(server.fetcher);
  const opener = tab();
  const [one, two] = [read(opener, '/log', 'log', '0'), read(tab(), '/log', 'log', '0')];
  await expect.poll(() => two.said).toEqual(['open']);
  server.held('/log').send(frame(1, 'a'));
  await expect.poll(() => one.texts).toEqual(['a']);
  opener.leave();
  await sleep(20);
  server.held('/log').send(frame(2, 'b'));
  await expect.poll(() => two.texts).toEqual(['a', 'b']);
  expect(one.texts).toEqual(['a']);
  expect(server.asked).toHaveLength(1);
});

it('a tab that ended without a word is let go of', async () => {
  const server = serverOf();
  const { tab, hub } = browserOf(server.fetcher, { timing: { tabSilenceMs: 30 } });
  read(tab(), '/log', 'log', '0');
  await expect.poll(() => server.open.size).toBe(1);
  await sleep(50);
  hub.sweep();
  await expect.poll(() => server.open.size).toBe(0);
});

it('a tab that nobody looks at holds nothing, and goes on where it was', async () => {
  const server = serverOf();
  const { tab } = browserOf(server.fetcher);
  const streams = tab();
  const [log, live] = [read(streams, '/log', 'log', '0'), read(streams, '/events', 'changes')];
  await expect.poll(() => server.open.size).toBe(2);
  server.held('/log').send(frame(1, 'a'));
  await expect.poll(() => log.texts).toEqual(['a']);
  streams.show(false);
  await expect.poll(() => server.open.size).toBe(0);
  expect(log.said).toEqual(['open']);
  streams.show(true);
  await expect.poll(() => server.open.size).toBe(2);
  expect(server.held('/log').after).toBe('1');
  server.held('/log').send(frame(2, 'b'));
  await expect.poll(() => log.texts).toEqual(['a', 'b']);
  // A second time: it has to ask for what it missed.
  await expect.poll(() => live.said).toEqual(['open', 'open']);
});

it('however much is looked at, places stay free: streams take turns, and none is lost or doubled', async () => {
  const server = serverOf();
  const { tab } = browserOf(server.fetcher, { places: 2 });
  const urls = Array.from({ length: 7 }, (_, n) => `/log/${n}`);
  const live = read(tab(), '/events', 'changes');
  const readers = urls.map((url) => read(tab(), url, 'log', '0'));
  // Each stream that is opened gives the one line after the last that was had.
  const feeding = setInterval(() => {
    for (const one of server.open)
      if (one.url !== '/events' && Number(one.after) < 3) one.send(frame(Number(one.after) + 1, `line`));
  }, 3);
  for (const reader of readers) await expect.poll(() => reader.texts.length, { timeout: 10_000 }).toBeGreaterThan(2);
  clearInterval(feeding);
  expect(server.most()).toBe(3);
  expect(server.asked.filter((url) => url === '/events')).toHaveLength(1);
  for (const { said } of [live, ...readers]) expect(said).toEqual(['open']);
});

it('after a cut it goes on behind the last frame, for everybody', async () => {
  const server = serverOf();
  const { tab } = browserOf(server.fetcher);
  const [one, two] = [read(tab(), '/log', 'log', '0'), read(tab(), '/log', 'log', '0')];
  await expect.poll(() => two.said).toEqual(['open']);
  server.held('/log').send(frame('4', 'a'));
  await expect.poll(() => two.texts).toEqual(['a']);
  server.held('/log').cut();
  await expect.poll(() => one.said).toEqual(['open', 'lost', 'open']);
  server.held('/log').send(`${frame('5', 'b')}event: end\ndata: {}\n\n`);
  await expect.poll(() => two.texts).toEqual(['a', 'b', '{}']);
  expect(one.texts).toEqual(['a', 'b', '{}']);
  expect(server.asked).toEqual(['/log 0', '/log 4']);
});

it('is lost as soon as the network is, and tries at once when that is back or a person asks', async () => {
  const server = serverOf();
  const { tab } = browserOf(server.fetcher, { timing: { pauses: [60_000] } });
  const streams = tab();
  const log = read(streams, '/log', 'log', '0');
  await expect.poll(() => log.said).toEqual(['open']);
  streams.network(false);
  await expect.poll(() => log.said).toEqual(['open', 'lost']);
  streams.network(true);
  await expect.poll(() => log.said).toEqual(['open', 'lost', 'open']);
  server.held('/log').cut();
  await expect.poll(() => log.said).toHaveLength(4);
  await sleep(20);
  expect(server.asked).toHaveLength(2);
  streams.retry();
  await expect.poll(() => log.said).toEqual(['open', 'lost', 'open', 'lost', 'open']);
});

it('is not broken by what a page throws', async () => {
  const server = serverOf();
  const thrown: unknown[] = [];
  const catchIt = (error: unknown) => void thrown.push(error);
  process.once('uncaughtException', catchIt);
  const streams = new Streams({
    connect: (onMessage) => connectAlone(onMessage, { places: 1, fetcher: server.fetcher, timing }),
    onOver: () => {},
  });
  const texts: string[] = [];
  streams.signedIn('u_ada');
  streams.follow('/log', 'log', {
    frame({ data }) {
      if (data === 'bad') throw new Error('a bug of a page');
      texts.push(data);
    },
  });
  await expect.poll(() => server.open.size).toBe(1);
  server.held('/log').send(frame(1, 'bad'));
  await sleep(20);
  server.held('/log').send(frame(2, 'good'));
  await expect.poll(() => texts).toEqual(['good']);
  expect(server.asked).toHaveLength(1);
  expect(thrown).toHaveLength(1);
});

it('who joins a stream of states is told each as it is now', async () => {
  const server = serverOf();
  const { tab } = browserOf(server.fetcher);
  const first = read(tab(), '/cluster', 'state');
  await expect.poll(() => server.open.size).toBe(1);
  server.held('/cluster').send('event: a\ndata: 1\n\nevent: b\ndata: 2\n\nevent: a\ndata: 3\n\n');
  await expect.poll(() => first.texts).toEqual(['1', '2', '3']);
  const second = read(tab(), '/cluster', 'state');
  await expect.poll(() => second.texts).toEqual(['2', '3']);
});

it('what does not heal is told once; what may heal is tried again', async () => {
  const refused = serverOf(() => Response.json(toWire(new HangarError('job_not_found')), { status: 404 }));
  const one = read(browserOf(refused.fetcher).tab(), '/log');
  await expect.poll(() => one.said).toEqual(['job_not_found']);
  await sleep(30);
  expect(refused.asked).toHaveLength(1);
  const away = serverOf((_url, times) => (times < 4 ? new Response('<html>', { status: 200 }) : null));
  const two = read(browserOf(away.fetcher).tab(), '/log');
  await expect.poll(() => two.said).toEqual(['lost', 'lost', 'lost', 'open']);
});

it('signing out ends the streams of all tabs, and so does somebody else who signs in', async () => {
  const server = serverOf();
  const { tab, over } = browserOf(server.fetcher);
  const [ada, second, third] = [tab('u_ada', 'first'), tab('u_ada', 'second'), tab('u_ada', 'third')];
  const logs = [ada, second, third].map((streams) => read(streams, '/log', 'log', '0'));
  await expect.poll(() => logs[2]?.said).toEqual(['open']);
  third.show(false);
  const before = server.held('/log');
  ada.signedOut();
  await expect.poll(() => over).toEqual(['second', 'third']);
  await expect.poll(() => server.open.size).toBe(0);

  over.length = 0;
  const bob = read(tab('u_bob', 'bob'), '/log', 'log', '0');
  await expect.poll(() => bob.said).toEqual(['open']);
  // What was left open comes back with what it wants as who it was.
  second.show(false);
  second.show(true);
  third.show(true);
  await expect.poll(() => over).toContain('third');
  server.held('/log').send(frame(1, 'of bob'));
  await expect.poll(() => bob.texts).toEqual(['of bob']);
  expect(server.held('/log')).not.toBe(before);
  expect(server.open.size).toBe(1);
  expect(logs.flatMap(({ texts }) => texts)).toEqual([]);
});

it('a tab whose worker never answers holds its streams itself', async () => {
  const server = serverOf();
  let gone = () => {};
  const connect: Connect = (_onMessage, onGone) => {
    gone = onGone;
    return { post: () => {}, isShared: true };
  };
  const streams = new Streams({ connect, onOver: () => {} });
  const original = globalThis.fetch;
  globalThis.fetch = server.fetcher;
  try {
    streams.signedIn('u_ada');
    const log = read(streams, '/log', 'log', '0');
    await sleep(5);
    gone();
    await expect.poll(() => log.said).toEqual(['open']);
    streams.leave();
  } finally {
    globalThis.fetch = original;
  }
});

it('nothing is asked for before it is known who is signed in', async () => {
  const server = serverOf();
  const streams = new Streams({
    connect: (onMessage) => connectAlone(onMessage, { places: 1, fetcher: server.fetcher, timing }),
    onOver: () => {},
  });
  const log = read(streams, '/log', 'log', '0');
  await sleep(20);
  expect(server.asked).toEqual([]);
  streams.signedIn('u_ada');
  await expect.poll(() => log.said).toEqual(['open']);
});
