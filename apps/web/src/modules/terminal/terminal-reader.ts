import { BackOff } from '@hangar/client/back-off';
import { openTerminal, type TerminalConnection, type TerminalSocket } from '@hangar/client/terminal';
import { isPassingStatus } from '@hangar/contract/errors';
import { TERMINAL_PROTOCOL } from '@hangar/contract/terminals';
import type { Api } from '../../api/client.tsx';
import { asHangarError } from '../../api/errors.ts';
import type { Size, TerminalLine, TerminalReading, TerminalSink } from './terminal-line.ts';

const CONNECTING: TerminalReading = { status: 'connecting', why: null, error: null, end: null };

/** The terminal of an execution, over a WebSocket to the server of this page. */
export class TerminalReader implements TerminalLine {
  isNew: boolean;
  private readonly api: Api;
  private readonly id: string;
  private readonly listeners = new Set<() => void>();
  private state = CONNECTING;
  private size: Size | undefined;
  private sink: TerminalSink | null = null;
  private connection: TerminalConnection | null = null;
  private left = new AbortController();

  constructor(api: Api, id: string, isNew: boolean) {
    this.api = api;
    this.id = id;
    this.isNew = isNew;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  snapshot = (): TerminalReading => this.state;

  attach(sink: TerminalSink): () => void {
    // Whoever attaches again is shown what was answered before.
    this.isNew = false;
    this.sink = sink;
    this.connect(sink);
    return () => {
      this.sink = null;
      this.left.abort();
    };
  }

  type(bytes: Uint8Array): void {
    this.connection?.write(bytes);
  }

  resize(size: Size): void {
    this.size = size;
    this.connection?.resize(size);
  }

  retry = (): void => {
    if (this.sink === null) return;
    this.sink.clear();
    this.connect(this.sink);
  };

  private connect(sink: TerminalSink): void {
    this.left.abort();
    this.left = new AbortController();
    const { signal } = this.left;
    this.tell(CONNECTING);
    const backOff = new BackOff({ signal, isPassing: (error) => isPassingStatus(asHangarError(error).status) });
    const soon = () => backOff.retry();
    addEventListener('online', soon, { signal });
    document.addEventListener('visibilitychange', soon, { signal });
    this.connection = openTerminal({
      ...{ execution: this.id, signal, backOff, ...(this.size === undefined ? {} : { size: this.size }) },
      connect: async (path) => {
        // A browser does not tell why a WebSocket was refused: this answer does.
        await this.api.sandboxes.execution.call({ id: this.id }, { signal });
        const url = `${location.origin.replace(/^http/, 'ws')}/api${path}`;
        return new WebSocket(url, TERMINAL_PROTOCOL) as TerminalSocket;
      },
      onOutput: sink.print,
      onReady: ({ gap }) => gap && sink.clear(),
      onState: (state) => {
        if (state.kind === 'open') this.tell({ ...CONNECTING, status: 'connected' });
        else if (state.kind === 'lost') this.tell({ ...CONNECTING, status: 'reconnecting' });
        else this.tell({ ...CONNECTING, status: 'away', why: state.why });
      },
    });
    this.connection.ended.then(
      (end) => this.tell({ ...CONNECTING, status: 'ended', end }),
      (error) => {
        if (!signal.aborted) this.tell({ ...CONNECTING, status: 'failed', error: asHangarError(error) });
      },
    );
  }

  private tell(next: TerminalReading): void {
    this.state = next;
    for (const listener of this.listeners) listener();
  }
}
