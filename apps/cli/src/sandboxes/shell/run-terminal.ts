import { setTimeout as sleep } from 'node:timers/promises';
import { openTerminal, type TerminalSocket, type TerminalState } from '@hangar/client/terminal';
import type { Execution } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { TERMINAL_PROTOCOL } from '@hangar/contract/terminals';
import type { Cli } from '../../cli.ts';
import type { Api } from '../../server/api.ts';
import { AWAY_MS, breaks, throughBreaks } from '../../server/through-breaks.ts';
import { type Exit, exitOf } from '../exec/exit.ts';
import { createEscapeKeys } from './escape-keys.ts';
import type { RawTerminal } from './raw-terminal.ts';
import { isAnswer } from './terminal-answers.ts';

/** A break that is mended sooner is not worth a word among what a program shows. */
const WORTH_A_WORD_MS = 1_500;
const HELP =
  '~. leaves, and what runs here goes on; ~~ types a tilde; ~? says this. All of them at the begin of a line';

/**
 * Puts the terminal of this command line before the one of an execution, until that ends or is left. Null: it was left, and goes on.
 * @param isNew nothing was printed in it before
 * @throws HangarError server_unreachable after 15 minutes without the server
 */
export async function runTerminal(
  cli: Cli,
  api: Api,
  raw: RawTerminal,
  { id }: Execution,
  { isNew }: { readonly isNew: boolean },
): Promise<{ execution: Execution; exit: Exit } | null> {
  const left = new AbortController();
  const signal = AbortSignal.any([cli.signal, left.signal]);
  const saying = createSaying(raw);
  let isOpen = false;
  let isFull = false;
  let isOver = false;
  /** Who cannot be heard now is still listened to for the keys that leave. */
  const listen = () => (isOver || (isFull && isOpen) ? cli.stdin.pause() : cli.stdin.resume());
  const backOff = breaks({ signal, patienceMs: AWAY_MS, onLost: () => undefined, onBack: () => undefined });
  const terminal = openTerminal({
    ...{ execution: id, signal, backOff, size: raw.size() },
    connect: async (path, over) => (await api.webSocket(path, TERMINAL_PROTOCOL, over)) as TerminalSocket,
    onOutput: (bytes) => raw.show(bytes),
    onReady: ({ gap }) => {
      if (gap) raw.say('some of what was printed is not kept any more');
    },
    onState(state) {
      isOpen = state.kind === 'open';
      listen();
      // What fills the screen is painted over what was said.
      if (saying.be(state)) terminal.redraw();
    },
  });
  raw.onResize(() => terminal.resize(raw.size()));
  function type(bytes: Uint8Array): void {
    if (isFull) return;
    isFull = !terminal.write(bytes);
    if (!isFull) return;
    if (!isOpen) raw.say('more is typed than can wait; what comes now is dropped; ~. leaves');
    listen();
    void terminal.drained().then(() => {
      isFull = false;
      listen();
    });
  }
  const keys = createEscapeKeys();
  // What is shown first is what was printed before: whatever it asked of a terminal was answered then.
  let answers = isNew;
  const onKeys = (typed: Buffer) => {
    if (!answers && isAnswer(typed)) return;
    answers = true;
    const { bytes, wants } = keys(typed);
    if (bytes.length > 0) type(bytes);
    if (wants === 'help') raw.say(HELP);
    if (wants === 'leave') left.abort(new HangarError('interrupted'));
  };
  cli.stdin.on('data', onKeys);
  listen();
  try {
    await terminal.ended;
  } catch (error) {
    if (left.signal.aborted && !cli.signal.aborted) return null;
    throw error;
  } finally {
    saying.end();
    isOver = true;
    cli.stdin.off('data', onKeys).pause();
    raw.restore();
  }
  const waiting = { terminal: cli.terminal, signal: cli.signal, patienceMs: AWAY_MS };
  const execution = await throughBreaks(waiting, () => api.client.sandboxes.execution({ id }));
  // What a terminal showed has been seen; that less of it is kept is no trouble.
  const output = { ...execution.output, truncated: false };
  return { execution, exit: exitOf({ ...execution, output }, () => Number.POSITIVE_INFINITY) };
}

/** Says what keeps the terminal from answering, if that lasts. */
function createSaying(raw: RawTerminal) {
  let said = '';
  let over = new AbortController();
  return {
    /** Whether something was said that is over now. */
    be(state: TerminalState): boolean {
      over.abort();
      if (state.kind === 'open') {
        const was = said;
        said = '';
        if (was !== '') raw.say('connected again');
        return was !== '';
      }
      const what = state.kind === 'lost' ? 'connection lost, trying again' : state.why;
      over = new AbortController();
      void sleep(said === '' ? WORTH_A_WORD_MS : 0, undefined, { signal: over.signal })
        .then(() => {
          if (said === what) return;
          raw.say(`${what}${said === '' ? '; ~. leaves' : ''}`);
          said = what;
        })
        .catch(() => undefined);
      return false;
    },
    end: () => over.abort(),
  };
}
