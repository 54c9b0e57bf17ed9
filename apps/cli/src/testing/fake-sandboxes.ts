import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type Execution,
  HangarError,
  InputQuery,
  isClosed,
  isEnded,
  type NewExecution,
  type NewSandbox,
  type OutputPiece,
  type Sandbox,
  StatusQuery,
} from '@hangar/contract';

type Stream = 'stdout' | 'stderr';

/** What runs in a fake sandbox, as the program of a test has it. */
export interface FakeExecution {
  readonly order: NewExecution;
  view: Execution;
  readonly pieces: ReturnType<typeof OutputPiece.parse>[];
  /** All that came on standard input. */
  input: Buffer;
  inputEnded: boolean;
  /** @param offset where the piece begins, when not behind what was printed before */
  print(stream: Stream, bytes: Uint8Array | string, offset?: number): void;
  say(text: string): void;
  end(how: Partial<Execution>): void;
  /** Called when standard input has grown or ended. */
  onInput: (fresh: Buffer) => void;
}

const FRAME_PIECES = 8;
const PIECE_BYTES = 32 * 1024;
/** What the command line promises to stay below. */
const PART_MOST = 256 * 1024;

/** The sandboxes of a fake server: what happens in them is what the program of the test does. Refuses whatever breaks the contract. */
export class FakeSandboxes {
  readonly all = new Map<string, Sandbox>();
  readonly executions = new Map<string, FakeExecution>();
  /** By each look at a sandbox it takes the next of these steps. */
  readonly steps = new Map<string, Partial<Sandbox>[]>();
  /** Those of each that is opened. */
  opening: Partial<Sandbox>[] = [
    { state: 'starting', reason: 'Pulling its image' },
    { state: 'running', reason: 'Its machine runs' },
  ];
  program: (execution: FakeExecution) => void = () => undefined;
  onCancel: (execution: FakeExecution) => void = (execution) =>
    execution.end({ state: 'cancelled', exitCode: 143, signal: 'SIGTERM', reason: 'Cancelled.' });
  /** Answers to parts of input that are lost after the part was taken. */
  loseInputAnswers = 0;
  /** Parts of input that are refused because the way to the machine is broken. */
  breakInputs = 0;
  refuseInput: HangarError | null = null;
  /** Sizes of all parts of input, in their order. */
  readonly parts: number[] = [];
  readonly #keys = new Map<string, string>();
  readonly #pumps = new Set<() => void>();
  readonly #streams = new Set<ServerResponse>();

  open(input: NewSandbox, key: string | undefined): Sandbox {
    const known = this.#known(input.idempotencyKey ?? key);
    if (known !== null) return this.get(known);
    const id = `s_${randomBytes(6).toString('hex')}`;
    const now = new Date().toISOString();
    this.all.set(id, {
      ...{ id, version: 1, name: input.name ?? null, state: 'queued', stateSince: now, failure: null },
      ...{ reason: 'Waiting for a free place', session: { state: 'none', since: null, detail: null } },
      ...{ owner: { id: 'u_123456', name: 'Ada' }, profile: input.profile ?? 'local', driver: 'local' },
      ...{ image: input.image ?? null, resources: input.resources, envNames: Object.keys(input.env) },
      ...{ job: input.job ?? null, tree: null },
      ...{ metadata: input.metadata, createdAt: now, readyAt: null, finishedAt: null, lastActivity: now },
      ...{ closeRequestedAt: null, idleSeconds: input.idleSeconds, lifetimeSeconds: input.lifetimeSeconds },
      ...{ closesAt: null, closesSoon: null, executionsRunning: 0 },
    });
    this.steps.set(id, [...this.opening]);
    this.#remember(input.idempotencyKey ?? key, id);
    return this.get(id);
  }

  /** One that runs. */
  add(more: Partial<Sandbox> = {}): string {
    const { id } = this.open(
      { env: {}, resources: {}, idleSeconds: 3600, lifetimeSeconds: 86_400, metadata: {} },
      undefined,
    );
    this.steps.delete(id);
    this.change(id, { state: 'running', reason: 'Its machine runs', ...more });
    return id;
  }

  get(id: string): Sandbox {
    const found = this.all.get(id);
    if (found === undefined) throw new HangarError('sandbox_not_found');
    return found;
  }

  look(id: string): Sandbox {
    const step = this.steps.get(id)?.shift();
    if (step !== undefined) this.change(id, step);
    return this.get(id);
  }

  change(id: string, more: Partial<Sandbox>): Sandbox {
    const changed = { ...this.get(id), ...more, version: this.get(id).version + 1 };
    this.all.set(id, changed);
    return changed;
  }

  list(states: readonly string[] | null): Sandbox[] {
    return [...this.all.values()].reverse().filter(({ state }) => states === null || states.includes(state));
  }

  close(id: string, keep: boolean): Sandbox {
    if (keep || isClosed(this.get(id).state)) return this.get(id);
    this.steps.set(id, [
      { state: 'closing', reason: 'Its machine is being removed' },
      { state: 'closed', reason: 'Closed as asked' },
    ]);
    return this.change(id, { closeRequestedAt: new Date().toISOString() });
  }

  turn(id: string, to: Partial<Sandbox>): Sandbox {
    if (isClosed(this.get(id).state)) throw new HangarError('sandbox_closed');
    this.steps.set(id, [to]);
    return this.get(id);
  }

  execute(order: NewExecution): Execution {
    const key = order.idempotencyKey;
    if (key === undefined) throw new HangarError('bad_request', { message: 'Sent twice, this would run twice.' });
    const known = this.#known(key);
    if (known !== null) return this.execution(known).view;
    const sandbox = this.get(order.sandbox);
    if (isClosed(sandbox.state)) throw new HangarError('sandbox_closed');
    const id = `e_${randomBytes(6).toString('hex')}`;
    const now = new Date().toISOString();
    const pieces: FakeExecution['pieces'] = [];
    const printed = { stdout: 0, stderr: 0 };
    const add = (stream: 'stdout' | 'stderr' | 'system', text: string) =>
      pieces.push({ n: pieces.length + 1, at: new Date().toISOString(), stream, text });
    const execution: FakeExecution = {
      ...{ order, pieces, input: Buffer.alloc(0), inputEnded: false, onInput: () => undefined },
      view: {
        ...{ id, version: 1, sandbox: sandbox.id, job: null, state: 'running', reason: 'It runs', failure: null },
        title: Array.isArray(order.command) ? order.command.join(' ') : order.command.shell,
        stateSince: now,
        ...{ cancelRequestedAt: null, terminal: false, stdin: order.stdin, createdAt: now, startedAt: now },
        ...{ finishedAt: null, exitCode: null, signal: null, leftover: 0 },
        output: { stdout: 0, stderr: 0, truncated: false },
      },
      print: (stream, data, offset = printed[stream]) => {
        const bytes = Buffer.from(data);
        for (let from = 0; from < bytes.length; from += PIECE_BYTES)
          add(stream, `${offset + from}:${bytes.subarray(from, from + PIECE_BYTES).toString('base64')}`);
        printed[stream] = Math.max(printed[stream], offset + bytes.length);
        this.#poke();
      },
      say: (text) => {
        add('system', text);
        this.#poke();
      },
      end: (how) => {
        if (isEnded(execution.view.state)) return;
        const finishedAt = new Date().toISOString();
        const output = { ...printed, truncated: false };
        execution.view = {
          ...execution.view,
          state: 'succeeded',
          exitCode: 0,
          reason: 'Done',
          output,
          finishedAt,
          ...how,
        };
        this.#poke();
      },
    };
    this.executions.set(id, execution);
    this.#remember(key, id);
    this.program(execution);
    return execution.view;
  }

  execution(id: string): FakeExecution {
    const found = this.executions.get(id);
    if (found === undefined) throw new HangarError('execution_not_found');
    return found;
  }

  cancel(id: string): Execution {
    const execution = this.execution(id);
    execution.view = { ...execution.view, cancelRequestedAt: new Date().toISOString() };
    if (!isEnded(execution.view.state)) this.onCancel(execution);
    return execution.view;
  }

  /** The raw routes; false for others. */
  async answer(path: string, url: URL, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const query = Object.fromEntries(url.searchParams);
    if (path === '/drivers/status') {
      this.#status(StatusQuery.parse(query), request, response);
      return true;
    }
    const id = /^\/drivers\/executions\/([^/]+)\/input$/.exec(path)?.[1];
    if (id === undefined || request.method !== 'POST') return false;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const bytes = this.#input(this.execution(id), InputQuery.parse(query), Buffer.concat(chunks));
    if (this.loseInputAnswers > 0) {
      this.loseInputAnswers -= 1;
      response.destroy();
      return true;
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ bytes }));
    return true;
  }

  cutStreams(): void {
    for (const response of this.#streams) response.destroy();
  }

  #input(execution: FakeExecution, { at, end }: ReturnType<typeof InputQuery.parse>, part: Buffer): number {
    this.parts.push(part.length);
    if (this.refuseInput !== null) throw this.refuseInput;
    if (part.length > PART_MOST) throw new HangarError('body_too_large');
    if (!execution.order.stdin) throw new HangarError('validation_failed', { message: 'It has no standard input.' });
    if (isEnded(execution.view.state)) return at + part.length;
    if (this.breakInputs > 0) {
      this.breakInputs -= 1;
      throw new HangarError('connection_lost');
    }
    const known = execution.input.length - at;
    if (known < 0) throw new HangarError('validation_failed', { message: `${-known} bytes of input were left out.` });
    if (!part.subarray(0, known).equals(execution.input.subarray(at, at + Math.min(known, part.length))))
      throw new HangarError('validation_failed', { message: 'This is not what was sent there before.' });
    const fresh = part.subarray(known);
    if (fresh.length > 0 && execution.inputEnded)
      throw new HangarError('validation_failed', { message: 'Input had ended.' });
    execution.input = Buffer.concat([execution.input, fresh]);
    const isEnd = end && !execution.inputEnded;
    if (end) execution.inputEnded = true;
    if (fresh.length > 0 || isEnd) execution.onInput(fresh);
    return execution.input.length;
  }

  #status(
    { execution: id, after }: ReturnType<typeof StatusQuery.parse>,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    const execution = this.execution(id);
    let at = Number(request.headers['last-event-id'] ?? after ?? 0);
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    response.flushHeaders();
    this.#streams.add(response);
    const pump = () => {
      while (at < execution.pieces.length) {
        if (response.writableNeedDrain) return;
        const frame = execution.pieces.slice(at, at + FRAME_PIECES);
        at += frame.length;
        response.write(`id: ${at}\ndata: ${JSON.stringify(frame)}\n\n`);
      }
      if (!isEnded(execution.view.state)) return;
      response.end(`event: end\ndata: ${JSON.stringify({ total: at, state: execution.view.state })}\n\n`);
      this.#pumps.delete(pump);
    };
    this.#pumps.add(pump);
    response.on('drain', pump);
    response.on('close', () => {
      this.#pumps.delete(pump);
      this.#streams.delete(response);
    });
    pump();
  }

  #poke(): void {
    for (const pump of [...this.#pumps]) pump();
  }

  #known(key: string | undefined): string | null {
    return key === undefined ? null : (this.#keys.get(key) ?? null);
  }

  #remember(key: string | undefined, id: string): void {
    if (key !== undefined) this.#keys.set(key, id);
  }
}
