import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { rawOperations, type Use } from '@hangar/contract';
import { pino } from 'pino';
import { settingsStore } from '../../../platform/database/index.ts';
import { createTestDatabase } from '../../../platform/database/testing/index.ts';
import { createApp } from '../../../platform/http/app.ts';
import { createCallerWatch, RIGHTS_CHANNEL } from '../../../platform/http/still-allowed.ts';
import { openLive } from '../../../platform/live/live.ts';
import { openSecrets } from '../../../platform/secrets/index.ts';
import { accessRoutes } from '../access-routes.ts';
import { oauthRoutes } from '../devices/oauth-routes.ts';
import { type Access, type AccessRates, createAccess } from '../index.ts';

const log = pino({ level: 'silent' });
const MANY: AccessRates = { device: 1e6, token: 1e6, signIn: 1e6, userCode: 1e6 };
const USE: Use = {
  jobsRunning: 1,
  jobsWaiting: 2,
  sandboxesOpen: 3,
  minutesThisMonth: 3.5,
  periodEndsAt: '2031-01-01T00:00:00.000Z',
};

/** A browser: keeps its cookies and says which page it is on. */
export interface Browser {
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  readonly cookies: Map<string, string>;
}

/** JSON of any shape: a test says by what it expects which. */
export interface Loose {
  readonly [key: string]: Loose;
}

export interface Answer {
  status: number;
  headers: Headers;
  body: Loose;
}

export interface AccessServer {
  readonly url: string;
  readonly access: Access;
  readonly database: Awaited<ReturnType<typeof createTestDatabase>>;
  /** Lets time pass for the server. */
  advance(seconds: number): void;
  goTo(time: Date): void;
  /** To the beginning of a window of the rate limits, so that a test ends in the one it began in. */
  nextMinute(): void;
  browser(): Browser;
  /** A browser in which the first admin is signed in. */
  adminBrowser(): Promise<Browser>;
  /** Another server on the same database, with other limits or another address. */
  beside(o?: { rateLimits?: Partial<AccessRates>; publicUrl?: string }): Promise<AccessServer>;
  close(): Promise<void>;
}

/** The access feature behind the real HTTP platform, on a port of its own and a database of its own. */
export async function startAccessServer(): Promise<AccessServer> {
  const database = await createTestDatabase();
  const folder = await mkdtemp(path.join(tmpdir(), 'hangar-access-'));
  const secrets = await openSecrets({
    keyFile: path.join(folder, 'master.key'),
    generate: true,
    settings: settingsStore(database.db),
  });
  let passedMs = 0;
  const clock = () => new Date(Date.now() + passedMs);
  const closers: (() => Promise<unknown>)[] = [];

  async function start(o: { rateLimits?: Partial<AccessRates>; publicUrl?: string }): Promise<AccessServer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
    const access = createAccess({
      database,
      secrets,
      publicUrl: o.publicUrl ?? url,
      alone: true,
      log,
      clock,
      rateLimits: { ...MANY, ...o.rateLimits },
    });
    const callers = createCallerWatch({ identify: access.identify, log });
    await database.listen(RIGHTS_CHANNEL, (userId) => callers.look(userId));
    const live = await openLive({ database, log });
    const app = await createApp({
      isDraining: () => false,
      router: { access: accessRoutes(access, { useOf: async () => USE }) },
      rawRoutes: [oauthRoutes(access), live.routes(rawOperations.system.events, null)],
      callers,
      identify: access.identify,
      refuseForeignOrigin: access.refuseForeignOrigin,
      log,
      trustProxy: true,
      secure: false,
      webDir: null,
    });
    await app.ready();
    server.on('request', (request, response) => app.routing(request, response));
    closers.push(async () => {
      await live.close();
      server.closeAllConnections();
      server.close();
      await app.close();
    });
    const browser = () => newBrowser(url);
    return {
      url,
      access,
      database,
      advance(seconds) {
        passedMs += seconds * 1000;
      },
      goTo(time) {
        passedMs = time.getTime() - Date.now() + 1000;
      },
      nextMinute() {
        passedMs += 60_000 - (clock().getTime() % 60_000);
      },
      browser,
      async adminBrowser() {
        const admin = browser();
        const { token } = await access.firstAdminLink();
        const answer = await admin.call('POST', '/api/auth/sign-in/link', { token });
        if (answer.status !== 200) throw new Error(`the admin cannot sign in: ${JSON.stringify(answer.body)}`);
        return admin;
      },
      beside: (other = {}) => start(other),
      async close() {
        for (const close of closers) await close();
        await database.drop();
        await rm(folder, { recursive: true });
      },
    };
  }
  return start({});
}

function newBrowser(url: string): Browser {
  const cookies = new Map<string, string>();
  return {
    cookies,
    async call(method, route, body, headers = {}) {
      const response = await fetch(url + route, {
        method,
        headers: {
          ...(method === 'GET' ? {} : { origin: url }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(cookies.size > 0 ? { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') } : {}),
          'user-agent': 'Mozilla/5.0 Firefox/140.0',
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(20_000),
      });
      for (const header of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(header) ?? [];
        if (header.includes('Max-Age=0')) cookies.delete(name);
        else cookies.set(name, value);
      }
      const text = await response.text();
      return { status: response.status, headers: response.headers, body: text === '' ? null : JSON.parse(text) };
    },
  };
}
