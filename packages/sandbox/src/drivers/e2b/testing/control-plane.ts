import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { json, readBody } from './connect-protocol.ts';
import { destroySandbox, ENVD_VERSION, type FakeSandbox, makeSandbox, pauseSandbox, resumeSandbox } from './sandbox.ts';

/** The account of the fake, and what it may. */
export interface FakeAccount {
  readonly apiKey: string;
  readonly templates: readonly string[];
  /** Of the plan: no sandbox lives longer. */
  maxHours: number;
  maxSandboxes: number;
  /** How many a page of the list has at most. */
  pageSize: number;
  /** Empty as in the first seconds of a real sandbox, where false. */
  metrics: boolean;
}

const Create = z.strictObject({
  templateID: z.string(),
  metadata: z.record(z.string(), z.string()).optional(),
  envVars: z.record(z.string(), z.string()).optional(),
  timeout: z.int().optional(),
  allow_internet_access: z.boolean().optional(),
  autoPause: z.boolean().optional(),
  autoPauseMemory: z.boolean().optional(),
  autoResume: z.strictObject({ enabled: z.boolean() }).optional(),
});
const Connect = z.strictObject({ timeout: z.int().optional(), memory: z.boolean().optional() });
const Pause = z.strictObject({ memory: z.boolean().optional() });
const Timeout = z.strictObject({ timeout: z.int().min(0) });
const ListQuery = z.strictObject({
  metadata: z.string().optional(),
  state: z.string().optional(),
  limit: z.coerce.number().int().min(1).max(100).optional(),
  nextToken: z.string().optional(),
  order: z.enum(['asc', 'desc']).optional(),
});

/** Refused with a status and words. */
class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface ControlPlane {
  readonly sandboxes: Map<string, FakeSandbox>;
  serve(request: IncomingMessage, response: ServerResponse): Promise<void>;
  close(): Promise<void>;
}

export function createControlPlane(account: FakeAccount): ControlPlane {
  const sandboxes = new Map<string, FakeSandbox>();
  const clocks = new Map<string, NodeJS.Timeout>();

  function endAt(sandbox: FakeSandbox, at: number): void {
    sandbox.endAt = new Date(at);
    clearTimeout(clocks.get(sandbox.id));
    if (sandbox.state !== 'running') return;
    clocks.set(sandbox.id, setTimeout(() => void end(sandbox), Math.max(0, at - Date.now())).unref());
  }
  async function end(sandbox: FakeSandbox): Promise<void> {
    clearTimeout(clocks.get(sandbox.id));
    sandboxes.delete(sandbox.id);
    await destroySandbox(sandbox);
  }
  const known = (id: string): FakeSandbox => {
    const found = sandboxes.get(id);
    if (!found) throw new Refusal(404, `sandbox "${id}" doesn't exist or you don't have access to it`);
    return found;
  };
  const longest = (sandbox: FakeSandbox) => sandbox.startedAt.getTime() + account.maxHours * 3_600_000;
  const checked = (seconds: number) => {
    if (seconds <= 0) throw new Refusal(400, 'Timeout must be greater than 0');
    if (seconds > account.maxHours * 3600) {
      throw new Refusal(400, `Timeout cannot be greater than ${account.maxHours} hours`);
    }
    return seconds;
  };
  const brief = (sandbox: FakeSandbox) => ({
    ...{ sandboxID: sandbox.id, templateID: sandbox.templateId, clientID: '6532622b', envdVersion: ENVD_VERSION },
  });
  const opened = (sandbox: FakeSandbox) => ({ ...brief(sandbox), envdAccessToken: sandbox.token, domain: null });
  const listed = (sandbox: FakeSandbox) => ({
    ...brief(sandbox),
    ...{ startedAt: sandbox.startedAt.toISOString(), endAt: sandbox.endAt.toISOString(), state: sandbox.state },
    ...{ cpuCount: 2, memoryMB: 512, diskSizeMB: 1024, metadata: sandbox.metadata },
  });

  const routes: readonly [
    RegExp,
    (o: { id: string; body: unknown; url: URL; response: ServerResponse }) => Promise<void>,
  ][] = [
    [
      /^POST \/v2\/sandboxes$/,
      async ({ body, response }) => {
        const asked = valid(Create, body);
        if (!account.templates.includes(asked.templateID)) {
          throw new Refusal(404, `template '${asked.templateID}' not found`);
        }
        const timeoutSeconds = checked(asked.timeout ?? 300);
        if (sandboxes.size >= account.maxSandboxes) {
          const most = `you have reached the maximum number of concurrent E2B sandboxes (${account.maxSandboxes})`;
          throw new Refusal(429, `${most}. If you need more, please visit 'https://e2b.dev/docs/billing'`);
        }
        if (asked.autoResume?.enabled && !asked.autoPause) throw new Refusal(400, 'autoResume needs autoPause');
        const { templateID: templateId, metadata = {}, envVars: envs = {} } = asked;
        const sandbox = makeSandbox({ templateId, metadata, envs, timeoutSeconds });
        sandboxes.set(sandbox.id, sandbox);
        endAt(sandbox, sandbox.endAt.getTime());
        json(response, 201, opened(sandbox));
      },
    ],
    [
      /^GET \/v2\/sandboxes$/,
      async ({ url, response }) => {
        const query = valid(ListQuery, Object.fromEntries(url.searchParams));
        const states = query.state?.split(',') ?? ['running', 'paused'];
        const wanted = [...new URLSearchParams(query.metadata ?? '')].map(([key, value]) => [
          decodeURIComponent(key),
          decodeURIComponent(value),
        ]);
        const all = [...sandboxes.values()]
          .filter((one) => states.includes(one.state))
          .filter((one) => wanted.every(([key, value]) => key !== undefined && one.metadata[key] === value))
          .reverse();
        if (query.order === 'asc') all.reverse();
        const from = query.nextToken === undefined ? 0 : all.findIndex(({ id }) => id === query.nextToken) + 1;
        if (query.nextToken !== undefined && from === 0) throw new Refusal(400, 'Invalid next token');
        const page = all.slice(from, from + Math.min(query.limit ?? 100, account.pageSize));
        const last = page.at(-1);
        if (last && from + page.length < all.length) response.setHeader('X-Next-Token', last.id);
        json(response, 200, page.map(listed));
      },
    ],
    [/^GET \/sandboxes\/([^/]+)$/, async ({ id, response }) => json(response, 200, listed(known(id)))],
    [
      /^DELETE \/sandboxes\/([^/]+)$/,
      async ({ id, response }) => {
        await end(known(id));
        response.writeHead(204).end();
      },
    ],
    [
      /^POST \/sandboxes\/([^/]+)\/timeout$/,
      async ({ id, body, response }) => {
        const { timeout } = valid(Timeout, body);
        const sandbox = known(id);
        if (sandbox.state !== 'running') throw new Refusal(409, `Sandbox '${id}' is paused`);
        // A renewal past what the plan allows is shortened and not refused.
        endAt(sandbox, Math.min(Date.now() + timeout * 1000, longest(sandbox)));
        response.writeHead(204).end();
      },
    ],
    [
      /^POST \/sandboxes\/([^/]+)\/pause$/,
      async ({ id, body, response }) => {
        const { memory = true } = valid(Pause, body ?? {});
        const sandbox = known(id);
        if (sandbox.state !== 'running')
          throw new Refusal(409, `Error pausing sandbox - sandbox '${id}' is already paused`);
        clearTimeout(clocks.get(id));
        await pauseSandbox(sandbox, { memory });
        response.writeHead(204).end();
      },
    ],
    [
      /^POST \/v2\/sandboxes\/([^/]+)\/connect$/,
      async ({ id, body, response }) => {
        const seconds = checked(valid(Connect, body ?? {}).timeout ?? 300);
        const sandbox = known(id);
        const resumed = sandbox.state === 'paused';
        if (resumed) resumeSandbox(sandbox);
        const at = Date.now() + seconds * 1000;
        endAt(sandbox, resumed ? at : Math.max(at, sandbox.endAt.getTime()));
        json(response, resumed ? 201 : 200, opened(sandbox));
      },
    ],
    [
      /^GET \/sandboxes\/([^/]+)\/metrics$/,
      async ({ id, response }) => {
        known(id);
        const sample = {
          ...{ timestamp: new Date().toISOString(), timestampUnix: Math.floor(Date.now() / 1000) },
          ...{ cpuUsedPct: 50, cpuCount: 2, memUsed: 134_217_728, memTotal: 536_870_912, memCache: 0 },
          ...{ diskUsed: 268_435_456, diskTotal: 1_073_741_824 },
        };
        json(response, 200, account.metrics ? [sample] : []);
      },
    ],
  ];

  return {
    sandboxes,
    async serve(request, response) {
      const url = new URL(request.url ?? '/', 'http://api');
      try {
        const key = request.headers['x-api-key'];
        if (key === undefined) throw new Refusal(401, 'authorization header is missing');
        if (key !== account.apiKey) {
          throw new Refusal(401, 'Invalid API key, please visit https://e2b.dev/docs/api-key for more information.');
        }
        const text = (await readBody(request)).toString('utf8');
        const type = request.headers['content-type'] ?? '';
        if (text !== '' && !type.startsWith('application/json'))
          throw new Refusal(400, `unexpected content type ${type}`);
        const asked = `${request.method} ${url.pathname}`;
        for (const [pattern, serve] of routes) {
          const match = pattern.exec(asked);
          if (match) {
            return await serve({ id: match[1] ?? '', body: text === '' ? undefined : JSON.parse(text), url, response });
          }
        }
        throw new Refusal(404, 'no matching operation was found');
      } catch (error) {
        const status = error instanceof Refusal ? error.status : error instanceof SyntaxError ? 400 : 500;
        json(response, status, { code: status, message: error instanceof Error ? error.message : String(error) });
      }
    },
    async close() {
      await Promise.all([...sandboxes.values()].map(end));
    },
  };
}

function valid<T extends z.ZodType>(schema: T, body: unknown): z.infer<T> {
  const parsed = schema.safeParse(body);
  if (!parsed.success) throw new Refusal(400, `Error when parsing request: ${parsed.error.message}`);
  return parsed.data;
}
