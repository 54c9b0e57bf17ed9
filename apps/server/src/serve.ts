import { rawOperations } from '@hangar/contract';
import type { FastifyInstance } from 'fastify';
import type { Config } from './config.ts';
import type { Access } from './features/access/index.ts';
import { type Address, closed, endServers, listen, listenForWorkers } from './listen.ts';
import type { Capability, Foundation } from './platform/capability.ts';
import { createApp } from './platform/http/app.ts';
import { createMetrics, healthRoutes } from './platform/http/health.ts';
import { pageRoutes } from './platform/http/pages.ts';
import { createCallerWatch, RIGHTS_CHANNEL } from './platform/http/still-allowed.ts';

export interface Serving {
  readonly app: FastifyInstance;
  /** Says to balancers that this server stops; it goes on answering. */
  drain(): void;
  /** Answers what is in hand, until the signal aborts. */
  close(signal: AbortSignal): Promise<void>;
}

/** The routes of all capabilities behind one door, and the sockets it is reached on. */
export async function serve(
  { database, log, live }: Foundation,
  capabilities: readonly Capability[],
  o: {
    readonly config: Config;
    readonly address: Address;
    readonly access: Access;
    readonly webDir: string | null;
    readonly workerSocketDir: string | null;
  },
): Promise<Serving> {
  const { config, address, access, webDir } = o;
  const { identify, refuseForeignOrigin } = access;
  let draining = false;
  const isDraining = () => draining;
  const metrics = createMetrics();
  const callers = createCallerWatch({ identify, log: log.child({ part: 'access' }) });
  await database.listen(
    RIGHTS_CHANNEL,
    (userId) => callers.look(userId),
    () => callers.look(),
  );
  const app = await createApp({
    router: eachOnce(capabilities.map(({ router }) => router)),
    rawRoutes: [
      healthRoutes({ database, metrics, identify, isDraining, behindProxy: config.behindProxy }),
      live.routes(rawOperations.system.events, null),
      ...capabilities.flatMap(({ raw }) => raw ?? []),
      pageRoutes({ publicUrl: address.url, cookieName: access.sessions.cookieName, webDir }),
    ],
    otherWays: capabilities.flatMap(({ identify: way }) => way ?? []),
    ...{ identify, callers, refuseForeignOrigin, log, isDraining, webDir },
    trustProxy: config.trustProxy,
    secure: address.url.startsWith('https:'),
  });
  metrics.watch(app);
  await listen(app, { host: config.host, port: address.port });
  const workerSocket = o.workerSocketDir === null ? null : await listenForWorkers(app, o.workerSocketDir);

  return {
    app,
    drain() {
      draining = true;
    },
    async close(signal) {
      const servers = [app.server, ...(workerSocket ? [workerSocket] : [])];
      await endServers(servers, () => Promise.all([app.close(), workerSocket && closed(workerSocket)]), signal);
    },
  };
}

/** @throws Error when two capabilities serve one group of operations */
function eachOnce(routers: readonly Capability['router'][]): NonNullable<Capability['router']> {
  const groups = routers.flatMap((router) => Object.entries(router ?? {}));
  const all = Object.fromEntries(groups);
  if (Object.keys(all).length < groups.length)
    throw new Error(`two capabilities serve one group of: ${groups.map(([group]) => group).join(', ')}`);
  return all;
}
