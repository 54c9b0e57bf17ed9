import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createControlPlane, type FakeAccount } from './control-plane.ts';
import { serveEnvd } from './envd.ts';
import type { FakeSandbox } from './sandbox.ts';

/** What happens to one request instead of being served. */
export type Fault =
  /** Answered with this, nothing is done. */
  | {
      readonly status: number;
      readonly body?: string;
      readonly type?: string;
      readonly headers?: Record<string, string>;
    }
  /** It is done, and the connection breaks before a byte of the answer. */
  | 'cut answer'
  /** It is done, and no answer comes. */
  | 'no answer'
  /** The connection breaks, nothing is done. */
  | 'cut';

export interface AskedOf {
  readonly plane: 'api' | 'envd';
  /** `METHOD /path`, without a query. */
  readonly what: string;
  /** Which one of this kind it is, from 1. */
  readonly nth: number;
}

/** An E2B in this process, as strict as the real one or stricter. Commands really run, on this machine. */
export interface E2bServer extends AsyncDisposable {
  readonly apiUrl: string;
  readonly sandboxUrl: string;
  readonly account: FakeAccount;
  readonly sandboxes: ReadonlyMap<string, FakeSandbox>;
  /** All requests, as `api POST /v2/sandboxes`. */
  readonly asked: string[];
  /** Null: it is served. */
  fault: (asked: AskedOf) => Fault | null;
  /** Breaks every connection of envd that is open, as a network does; nothing in a sandbox notices. */
  cutStreams(): void;
}

export async function startE2bServer(o: Partial<FakeAccount> = {}): Promise<E2bServer> {
  const account: FakeAccount = {
    ...{ apiKey: 'e2b_0123456789abcdef', templates: ['base'], maxHours: 24, maxSandboxes: 100, pageSize: 100 },
    ...{ metrics: true, ...o },
  };
  const control = createControlPlane(account);
  const counts = new Map<string, number>();
  const listen = async (plane: AskedOf['plane'], serve: (i: IncomingMessage, r: ServerResponse) => Promise<void>) => {
    const http = createServer((request, response) => {
      request.on('error', () => undefined);
      response.on('error', () => undefined);
      const what = `${request.method} ${new URL(request.url ?? '/', 'http://any').pathname}`;
      server.asked.push(`${plane} ${what}`);
      const nth = (counts.get(`${plane} ${what}`) ?? 0) + 1;
      counts.set(`${plane} ${what}`, nth);
      const fault = server.fault({ plane, what, nth });
      if (fault === 'cut') return void request.socket.destroy();
      if (typeof fault === 'object' && fault !== null) {
        const { status, body = '', type = 'application/json', headers } = fault;
        request.resume();
        return void response.writeHead(status, { 'Content-Type': type, ...headers }).end(body);
      }
      if (fault !== null) withhold(response, fault);
      serve(request, response).catch(() => request.socket.destroy());
    });
    // Commands and uploads may take longer than any limit of a web server.
    http.requestTimeout = 0;
    await new Promise<void>((done) => http.listen(0, '127.0.0.1', done));
    return http;
  };
  const api = await listen('api', control.serve);
  const envd = await listen('envd', (request, response) =>
    serveEnvd(request, response, (id) => control.sandboxes.get(id)),
  );
  const server: E2bServer = {
    ...{ apiUrl: addressOf(api), sandboxUrl: addressOf(envd), account, sandboxes: control.sandboxes, asked: [] },
    fault: () => null,
    cutStreams() {
      for (const { open } of control.sandboxes.values()) for (const response of open) response.destroy();
    },
    async [Symbol.asyncDispose]() {
      await control.close();
      for (const http of [api, envd]) {
        http.closeAllConnections();
        await new Promise((done) => http.close(done));
      }
    },
  };
  return server;
}

/** Lets the work be done and keeps its answer back. */
function withhold(response: ServerResponse, how: 'cut answer' | 'no answer'): void {
  const end = () => {
    if (how === 'cut answer') response.socket?.destroy();
    return response;
  };
  response.writeHead = () => response;
  response.write = () => true;
  response.end = end;
}

function addressOf(http: Server): string {
  const address = http.address();
  return `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
}
