import { isIP } from 'node:net';
import { PEOPLE_IDENTITIES } from '@hangar/contract';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import type { Database } from '../database/index.ts';
import { allow, type Identify } from './identity.ts';
import type { RawRoutes } from './routes.ts';

export interface Metrics {
  readonly registry: Registry;
  /** Measures every request of this app. */
  watch(app: FastifyInstance): void;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'hangar_' });
  const requests = new Histogram({
    name: 'hangar_http_request_duration_seconds',
    help: 'Time from the first byte of a request to the last of its answer',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers: [registry],
  });
  return {
    registry,
    watch(app) {
      app.addHook('onResponse', async (request, reply) => {
        requests.observe(
          { method: request.method, route: request.routeOptions.url ?? 'none', status: String(reply.statusCode) },
          reply.elapsedTime / 1000,
        );
      });
    },
  };
}

const READY_MS = 2_000;

/**
 * `/healthz` (the process answers), `/readyz` (the database answers too, and the server is not about to stop) and `/metrics` (Prometheus
 * text). Metrics are for this machine, or for an admin's API key from elsewhere; behind a proxy on this machine, which everybody comes
 * from, for an admin's API key alone.
 */
export function healthRoutes(o: {
  database: Database;
  metrics: Metrics;
  identify: Identify;
  isDraining: () => boolean;
  /** A reverse proxy is in front: an address of this machine says nothing. */
  behindProxy: boolean;
}): RawRoutes {
  return (app) => {
    app.get('/healthz', async () => ({ status: 'ok' }));
    app.get('/readyz', async (_request, reply) => {
      if (o.isDraining()) return reply.status(503).send({ status: 'stopping', database: 'not asked' });
      const answered = await Promise.race([
        o.database.pool.query('select 1').then(
          () => true,
          () => false,
        ),
        new Promise<boolean>((resolve) => setTimeout(() => resolve(false), READY_MS).unref()),
      ]);
      return reply
        .status(answered ? 200 : 503)
        .send({ status: answered ? 'ok' : 'unavailable', database: answered ? 'ok' : 'no answer' });
    });
    app.get('/metrics', async (request, reply) => {
      if (o.behindProxy || !fromThisMachine(request)) {
        const { authorization, cookie } = request.headers;
        const identity = await o.identify({
          authorization,
          cookie,
          place: request.ip,
          userAgent: request.headers['user-agent'] ?? '',
        });
        allow(identity, { identities: PEOPLE_IDENTITIES, admin: 'only' });
      }
      return reply.type(o.metrics.registry.contentType).send(await o.metrics.registry.metrics());
    });
  };
}

/** What a proxy says of whom it speaks for, each in its own words. */
const FORWARDED = ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'forwarded', 'via'];

function fromThisMachine({ raw, headers }: FastifyRequest): boolean {
  if (FORWARDED.some((name) => headers[name] !== undefined)) return false;
  const plain = (raw.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  return (isIP(plain) === 4 && plain.startsWith('127.')) || plain === '::1';
}
