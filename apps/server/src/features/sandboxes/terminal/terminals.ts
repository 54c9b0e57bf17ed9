import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError, isEnded, TERMINAL_CLOSE, TERMINAL_TAIL, type TerminalEnd } from '@hangar/contract';
import type { InputChannel } from '@hangar/sandbox';
import type { Logger } from 'pino';
import type { WebSocket } from '../../../platform/http/web-sockets.ts';
import { newId } from '../../../platform/secrets/index.ts';
import { within } from '../../../platform/waits.ts';
import type { Machines } from '../acts/machines.ts';
import type { Person } from '../files/own-machine.ts';
import type { Hand, LogsOfExecutions } from '../needs.ts';
import type { SandboxesStore } from '../store/sandboxes-store.ts';
import type { ExecutionRow, SandboxRow } from '../store/sandboxes-tables.ts';
import { endingOf } from '../view.ts';
import { createPeer, notUnderstood, type Peer } from './peer.ts';
import { printedBefore, startOfText } from './printed-before.ts';
import { createTyping, type Typing } from './typing.ts';

/** Of one terminal: each costs the machine two processes. */
export const LOOKING_AT_ONCE = 16;
/** What broke is tried again at once, then ever more slowly. */
const AGAIN_MS = [100, 200, 500, 1_000, 2_000] as const;
/** A way to the machine that stood for so long was one. */
const LASTED_MS = 5_000;
/** A break that is mended sooner is not worth a word. */
const AWAY_MS = 500;
const OPEN_MS = 30_000;
const RESIZE_MS = 15_000;
const LOOK_MS = 100;
/** For its state to be written once its output is at its end. */
const ENDED_MS = 30_000;

export type Terminals = ReturnType<typeof createTerminals>;
type Wanted = { readonly columns: number; readonly rows: number };

/** Terminals of executions as they are looked at and typed into. What they print is taken down beside this, by who follows them. */
export function createTerminals(parts: {
  readonly store: Pick<SandboxesStore, 'of' | 'byId' | 'executionById'>;
  readonly machines: Pick<Machines, 'open' | 'forget'>;
  readonly logs: Pick<LogsOfExecutions, 'read'>;
  readonly log: Logger;
}) {
  const { store, machines, logs, log } = parts;
  const looking = new Map<string, number>();

  /** One's own alone: an admin sees others', and types in none of them. */
  async function enter(person: Person, id: string): Promise<ExecutionRow> {
    const row = await store.of(person.userId).execution(id);
    if (!row.terminal) throw new HangarError('terminal_missing');
    if ((looking.get(id) ?? 0) >= LOOKING_AT_ONCE)
      throw new HangarError('quota_terminals', { message: `${LOOKING_AT_ONCE} look at this terminal already.` });
    return row;
  }

  function serve(
    socket: WebSocket,
    { id }: ExecutionRow,
    asked: { after?: number | undefined; writer?: string | undefined },
  ) {
    looking.set(id, (looking.get(id) ?? 0) + 1);
    const session = openSession({
      id,
      after: asked.after ?? null,
      writer: asked.writer ?? newId('w').replace('_', ''),
    });
    const peer = createPeer(socket, {
      typed(bytes) {
        if (!session.typing.add(bytes))
          peer.refuse(notUnderstood('More was sent than may be unacknowledged.'), TERMINAL_CLOSE.notUnderstood);
      },
      asked: (ask) => session.size(ask.type === 'size' ? ask : null),
    });
    void session
      .follow(peer)
      .then(
        (end) => peer.end(end),
        (error: unknown) => {
          if (peer.signal.aborted) return;
          if (!(error instanceof HangarError)) log.error({ err: error, execution: id }, 'a terminal broke');
          const known = error instanceof HangarError ? error : new HangarError('internal', { cause: error });
          peer.refuse(known, LASTING.has(known.kind) ? TERMINAL_CLOSE.refused : 1011);
        },
      )
      .finally(() => {
        const left = (looking.get(id) ?? 1) - 1;
        if (left > 0) looking.set(id, left);
        else looking.delete(id);
      });
  }

  function openSession(o: { readonly id: string; readonly after: number | null; readonly writer: string }) {
    const { id } = o;
    let peer: Peer;
    /** Output before it has been sent; null: nothing was said yet. */
    let at: number | null = null;
    let brokeAt: number | null = null;
    let stoodAt: number | null = null;
    let toldAway = false;
    let hand: Hand | null = null;
    let over = new AbortController();
    let size: Wanted | null = null;
    let redraws = false;
    let sizing = false;
    /** What it began with stands in the middle: whatever fills the screen is to paint it again, once its size is known. */
    let begunInside = false;

    const typing: Typing = createTyping({
      taken: (bytes) => peer.say({ type: 'taken', bytes }),
      broke(error) {
        // Nobody reads any more; the end of it is on its way.
        if (!(error instanceof HangarError && OVER.has(error.code))) over.abort(error);
      },
    });

    async function applySize(): Promise<void> {
      if (sizing || hand === null) return;
      sizing = true;
      try {
        while (hand !== null && (size !== null || redraws)) {
          const wanted: Wanted | null = size;
          const signal = within(peer.signal, RESIZE_MS);
          if (wanted !== null) await hand.executions.resize(id, wanted, { signal });
          if (size !== wanted) continue;
          size = null;
          if (redraws) await hand.executions.redraw(id, { signal });
          redraws = false;
        }
      } catch (error) {
        // The size is set with the next connection; what is over needs none.
        log.debug({ err: error, execution: id }, 'a terminal did not take its size');
      } finally {
        sizing = false;
      }
    }

    /** A way to the machine stands. */
    function begin(offset: number, channel: InputChannel): void {
      if (at === null) {
        peer.begin(offset);
        peer.say({ type: 'ready', offset, taken: channel.taken, ...channel.size });
      } else if (toldAway) peer.say({ type: 'back' });
      at = offset;
      toldAway = false;
      stoodAt = performance.now();
      typing.over(channel);
      void applySize();
    }

    /** Follows the output over one way to the machine, to its end. */
    async function followIn(sandbox: SandboxRow): Promise<void> {
      over = new AbortController();
      const signal = AbortSignal.any([peer.signal, over.signal]);
      hand = await machines.open(sandbox, within(signal, OPEN_MS));
      const channel = await hand.executions.input(id, o.writer, { signal });
      try {
        const from = Math.min(at ?? o.after ?? Math.max(0, channel.printed - TERMINAL_TAIL), channel.printed);
        const isCut = at === null && o.after === null && from > 0;
        if (isCut) begunInside = true;
        else begin(at ?? from, channel);
        for await (const output of hand.executions.attach(id, { stdout: from, stderr: 0 }, { signal })) {
          if (output.type === 'end') return;
          if (output.type !== 'stdout') continue;
          const skipped: number = at === null ? startOfText(output.data) : 0;
          const offset: number = output.offset + skipped;
          if (at === null) begin(offset, channel);
          await peer.show(offset, output.data.subarray(skipped));
          at = output.offset + output.data.length;
        }
        throw new HangarError('connection_lost');
      } finally {
        hand = null;
        typing.leave();
        channel.close();
      }
    }

    async function follow(looker: Peer): Promise<TerminalEnd> {
      peer = looker;
      for (let tried = 0; ; tried++) {
        peer.signal.throwIfAborted();
        const row = await store.executionById(id);
        if (row === null) throw new HangarError('execution_not_found');
        if (isEnded(row.state)) return afterwards(row);
        const sandbox = await store.byId(row.sandboxId);
        stoodAt = null;
        try {
          if (sandbox === null) throw new HangarError('sandbox_gone');
          if (row.startedAt === null) throw new HangarError('driver_unavailable', { message: row.reason });
          if (sandbox.machine?.kind === 'paused') throw new HangarError('sandbox_paused');
          await followIn(sandbox);
          return endOf(await ended());
        } catch (error) {
          peer.signal.throwIfAborted();
          if (!(error instanceof HangarError) && !isTimeout(error)) throw error;
          if (row.startedAt !== null && sandbox !== null) machines.forget(sandbox.id);
          // What breaks as soon as it stands is tried ever more slowly.
          const now = performance.now();
          if (brokeAt === null || (stoodAt !== null && now - stoodAt > LASTED_MS)) [tried, brokeAt] = [0, now];
          const isStarted = row.startedAt !== null;
          if (now - brokeAt > (isStarted ? AWAY_MS : LASTED_MS)) {
            toldAway = true;
            peer.say({ type: 'away', why: error instanceof Error ? error.message : String(error) });
          }
          const pause = isStarted ? (AGAIN_MS[tried] ?? 2_000) : Math.min(2_000, LOOK_MS * (tried + 1));
          await sleep(pause, undefined, { signal: peer.signal });
        }
      }
    }

    /** All of it is printed: its state follows. */
    async function ended(): Promise<ExecutionRow> {
      const signal = within(peer.signal, ENDED_MS);
      for (;;) {
        const row = await store.executionById(id);
        if (row === null || isEnded(row.state)) return row ?? Promise.reject(new HangarError('execution_not_found'));
        await sleep(LOOK_MS, undefined, { signal });
      }
    }

    /** From what is kept of it. */
    async function afterwards(row: ExecutionRow): Promise<TerminalEnd> {
      const before = await printedBefore(logs, id, at ?? o.after, peer.signal);
      if (at === null) {
        peer.begin(before.offset);
        peer.say({ type: 'ready', offset: before.offset, taken: 0 });
      }
      at = before.offset;
      for await (const bytes of before.bytes) {
        await peer.show(at, bytes);
        at += bytes.length;
      }
      peer.signal.throwIfAborted();
      return endOf(row);
    }

    return {
      ...{ typing, follow },
      /** Null: it is to be painted again. */
      size(next: Wanted | null): void {
        if (next !== null) size = next;
        if (next === null || begunInside) redraws = true;
        begunInside = false;
        void applySize();
      },
    };
  }

  return { enter, serve };
}

const OVER: ReadonlySet<string> = new Set(['execution_ended', 'input_closed']);
/** Kinds of errors that the same socket would meet again. */
const LASTING: ReadonlySet<string> = new Set(['invalid', 'unauthenticated', 'forbidden', 'not_found', 'conflict']);

const isTimeout = (error: unknown): boolean => error instanceof DOMException && error.name === 'TimeoutError';

function endOf(row: ExecutionRow): TerminalEnd {
  const { id, state, reason } = row;
  if (state === 'queued' || state === 'running') throw new HangarError('internal');
  return { id, state, ...endingOf(row), reason };
}
