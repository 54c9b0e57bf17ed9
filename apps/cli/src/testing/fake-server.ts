import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  AGENTS,
  type Credential,
  contract,
  DeviceAuthorization,
  HangarError,
  isFinal,
  isLocalHost,
  type Job,
  type JobDetail,
  type JobState,
  type LogLine,
  LogQuery,
  type Me,
  type NewJob,
  OAuthError,
  type Profile,
  parseSpec,
  repoHost,
  secretsOf,
  TokenAnswer,
  toWire,
  Upload,
} from '@hangar/contract';
import { OpenAPIHandler } from '@orpc/openapi/node';
import { implement, ORPCError } from '@orpc/server';
import { FakeSandboxes } from './fake-sandboxes.ts';

interface FakeJob {
  readonly input: NewJob;
  detail: JobDetail;
  readonly lines: LogLine[];
  diff: Buffer | null;
  readonly files: Map<string, Buffer>;
}

interface Device {
  readonly code: string;
  readonly userCode: string;
  status: 'waiting' | 'approved' | 'denied' | 'expired';
  polls: number;
  slowDowns: number;
}

/**
 * A server made from the contract, in memory: real routes, real schemas, real HTTP. Jobs do what the test says.
 * Knobs of a test are its fields.
 */
export class FakeServer {
  readonly jobs = new Map<string, FakeJob>();
  readonly sandboxes = new FakeSandboxes();
  readonly uploads = new Map<string, Buffer>();
  readonly credentials = new Map<string, Credential & { value: string }>();
  readonly devices = new Map<string, Device>();
  readonly profiles: Profile[] = [profile('local', true)];
  /** What profiles were made with or changed to that is secret, by name. */
  readonly profileSecrets = new Map<string, Record<string, unknown>>();
  /** Changes of profiles as they came. */
  readonly profileChanges: unknown[] = [];
  /** Bearer tokens that are let in. */
  readonly accessTokens = new Set<string>();
  readonly refreshTokens = new Map<string, 'fresh' | 'used'>();
  apiKey = `hk_${randomBytes(8).toString('hex')}`;
  /** Seconds a new access token lives, as told to the client. */
  accessSeconds = 900;
  deviceInterval = 1;
  refreshes = 0;
  /** Answers to POST /jobs and the like that are swallowed: the job exists, the client does not hear of it. */
  loseAnswers = 0;
  /** As a server does that clones nothing from its own machine. */
  refuseLocalRepos = false;
  /** As some proxies do: each log stream is answered and closed at once. */
  closeStreams = false;
  /** Sent on each log stream as the data of an event. */
  streamGarbage: string | null = null;
  readonly requests: string[] = [];
  readonly authorizations: string[] = [];
  #server: Server | null = null;
  #port = 0;
  readonly #followers = new Set<() => void>();
  readonly #open = new Set<ServerResponse>();
  readonly #handler = new OpenAPIHandler(router(this));

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<this> {
    const server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => fail(response, error));
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    const address = server.address();
    this.#port = typeof address === 'object' && address !== null ? address.port : 0;
    return this;
  }

  /** As a kill would: every connection breaks. The same port is used when it starts again. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  /** Breaks all log streams without stopping. */
  cutStreams(): void {
    this.sandboxes.cutStreams();
    for (const response of this.#open) response.destroy();
  }

  addLines(id: string, lines: readonly (string | [LogLine['stream'], string])[]): void {
    const job = this.job(id);
    for (const line of lines) {
      const [stream, text] = typeof line === 'string' ? (['stdout', line] as const) : line;
      job.lines.push({ n: job.lines.length + 1, at: new Date().toISOString(), stream, text });
    }
    job.detail = { ...job.detail, logLines: job.lines.length };
    this.#poke();
  }

  setState(id: string, state: JobState, more: Partial<Job> = {}): void {
    const job = this.job(id);
    const now = new Date().toISOString();
    job.detail = {
      ...job.detail,
      state,
      stateSince: now,
      reason: `it is ${state}`,
      ...(isFinal(state) ? { finishedAt: now } : {}),
      ...more,
    };
    this.#poke();
  }

  /** Ends a job with a diff. */
  finish(id: string, diff: Buffer | string | null, state: JobState = 'succeeded'): void {
    const job = this.job(id);
    job.diff = diff === null ? null : Buffer.from(diff);
    const text = job.diff?.toString('latin1') ?? '';
    this.setState(id, state, {
      exitCode: state === 'succeeded' ? 0 : 1,
      diff:
        job.diff === null
          ? null
          : {
              filesChanged: text.match(/^diff --git /gm)?.length ?? 0,
              insertions: text.match(/^\+(?!\+\+ )/gm)?.length ?? 0,
              deletions: text.match(/^-(?!-- )/gm)?.length ?? 0,
              sizeBytes: job.diff.length,
              partial: state !== 'succeeded',
            },
    });
  }

  job(id: string): FakeJob {
    const job = this.jobs.get(id);
    if (job === undefined) throw new HangarError('job_not_found');
    return job;
  }

  /** A job as if somebody had sent it. */
  addJob(input: Partial<NewJob> = {}): string {
    const job: NewJob = {
      spec: '# Add a file\n\n```sh\ntrue\n```\n',
      repo: { url: 'https://git.example.org/team/app.git' },
      env: {},
      resources: {},
      ...input,
    };
    return this.create(job).id;
  }

  create(input: NewJob): JobDetail {
    const before = [...this.jobs.values()].find(
      (job) => input.idempotencyKey !== undefined && job.input.idempotencyKey === input.idempotencyKey,
    );
    if (before !== undefined) return before.detail;
    const { title } = parseSpec(input.spec);
    const { url } = input.repo;
    if (this.refuseLocalRepos && url !== undefined && isLocalHost(repoHost(url) ?? ''))
      throw new HangarError('repo_url_refused');
    for (const upload of [input.repo.bundle, input.repo.patch])
      if (upload !== undefined && !this.uploads.has(upload)) throw new HangarError('upload_not_found');
    const id = `j_${randomBytes(6).toString('hex')}`;
    const now = new Date().toISOString();
    const detail: JobDetail = {
      ...{ id, title: input.title ?? title, state: 'queued', stateSince: now, reason: 'Waiting for a free place' },
      ...{ cancelRequestedAt: null, owner: { id: 'u_123456', name: 'Ada' }, agent: input.agent ?? 'shell' },
      ...{ profile: input.profile ?? 'local', driver: 'local', sandbox: input.sandbox ?? null },
      repo: {
        name: input.repo.name ?? 'repo',
        url: input.repo.url ?? null,
        ref: input.repo.ref ?? null,
        commit: input.repo.commit ?? null,
        fromCheckout: input.repo.bundle !== undefined,
        root: input.repo.root ?? null,
      },
      ...{ image: input.image ?? null, resources: input.resources, timeoutSeconds: input.timeoutSeconds ?? 3600 },
      ...{ credential: input.credential ?? null, createdAt: now, startedAt: null, finishedAt: null },
      ...{ elapsedSeconds: 1, phases: [{ name: 'queued', startedAt: now, endedAt: null, reason: null }] },
      ...{ queue: { position: 1, running: 2, limit: 2 }, eta: null, exitCode: null, failure: null, diff: null },
      ...{ version: 1, logLines: 0, retryOf: null, spec: input.spec, envNames: Object.keys(input.env), events: [] },
      ...{ lastWordFromWorkerAt: null, usage: null, group: input.group ?? null, typical: [], evidence: null },
      kept: { logUntil: null, logRemovedAt: null, artifactsUntil: null, artifactsRemovedAt: null },
    };
    this.jobs.set(id, { input, detail, lines: [], diff: null, files: new Map() });
    return detail;
  }

  issueTokens(): TokenAnswer {
    const access = `at_${randomBytes(12).toString('hex')}`;
    const refresh = `rt_${randomBytes(12).toString('hex')}`;
    this.accessTokens.add(access);
    this.refreshTokens.set(refresh, 'fresh');
    return TokenAnswer.parse({
      access_token: access,
      token_type: 'Bearer',
      expires_in: this.accessSeconds,
      refresh_token: refresh,
    });
  }

  me(kind: Me['identity']['kind']): Me {
    const now = new Date().toISOString();
    return {
      user: {
        ...{ id: 'u_123456', name: 'Ada', email: 'ada@example.org', role: 'admin', planId: 'standard' },
        ...{ disabled: false, hasPassword: true, createdAt: now, lastSeenAt: now },
      },
      plan: {
        ...{
          id: 'standard',
          title: 'Standard',
          jobsAtOnce: 2,
          jobsWaiting: 50,
          sandboxesAtOnce: 10,
          minutesPerMonth: 600,
        },
        ...{ maxTimeoutSeconds: 14_400, maxArtifactBytes: 1e9, maxLogBytes: 1e8 },
        ...{ keepLogDays: 30, keepArtifactDays: 90, keepBytes: null },
      },
      use: {
        jobsRunning: 1,
        jobsWaiting: 0,
        sandboxesOpen: 3,
        minutesThisMonth: 12.4,
        periodEndsAt: new Date(Date.now() + 1e9).toISOString(),
      },
      identity: { kind, name: kind === 'apiKey' ? 'ci' : 'hangar on laptop', expiresAt: null },
      server: { version: '0.1.0', url: this.url },
    };
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url);
    this.requests.push(`${request.method} ${url.pathname}${url.search}`);
    const path = url.pathname.replace(/^\/api/, '');
    if (path.startsWith('/auth/')) return this.#oauth(path, request, response);
    const identity = this.#identify(request);
    const logs = /^\/jobs\/([^/]+)\/logs$/.exec(path)?.[1];
    if (logs !== undefined) return this.#logs(logs, url, request, response);
    const [, id, name] = /^\/jobs\/([^/]+)\/artifacts\/([^/]+)$/.exec(path) ?? [];
    if (id !== undefined && name !== undefined) return this.#artifact(id, decodeURIComponent(name), response);
    if (path === '/uploads' && request.method === 'POST') {
      const body = await readBody(request);
      const upload = `up_${randomBytes(6).toString('hex')}`;
      this.uploads.set(upload, body);
      return json(
        response,
        201,
        Upload.parse({
          ...{ id: upload, sizeBytes: body.length, sha256: createHash('sha256').update(body).digest('hex') },
          expiresAt: new Date(Date.now() + 3600_000).toISOString(),
        }),
      );
    }
    if (await this.sandboxes.answer(path, url, request, response)) return;
    const key = request.headers['idempotency-key'];
    const context = { identity, key: typeof key === 'string' ? key : undefined };
    const { matched } = await this.#handler.handle(request, response, { prefix: '/api', context });
    if (!matched) fail(response, new HangarError('route_not_found'));
  }

  #identify(request: IncomingMessage): Me['identity']['kind'] {
    const { authorization } = request.headers;
    this.authorizations.push(authorization ?? '');
    const token = authorization?.replace(/^Bearer /, '');
    if (token === undefined) throw new HangarError('not_signed_in');
    if (token === this.apiKey) return 'apiKey';
    if (this.accessTokens.has(token)) return 'token';
    throw new HangarError('token_expired');
  }

  async #oauth(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = new URLSearchParams((await readBody(request)).toString());
    const refuse = (error: OAuthError['error']) => json(response, 400, OAuthError.parse({ error }));
    if (form.get('client_id') !== 'hangar-cli') return refuse('invalid_client');
    if (path === '/auth/revoke') {
      this.refreshTokens.delete(form.get('token') ?? '');
      return json(response, 200, {});
    }
    if (path === '/auth/device') {
      const device: Device = { code: randomUUID(), userCode: 'BCDF-GHJK', status: 'waiting', polls: 0, slowDowns: 0 };
      this.devices.set(device.code, device);
      const page = `${this.url}/device`;
      return json(
        response,
        200,
        DeviceAuthorization.parse({
          ...{ device_code: device.code, user_code: device.userCode, verification_uri: page },
          ...{
            verification_uri_complete: `${page}?code=${device.userCode}`,
            expires_in: 60,
            interval: this.deviceInterval,
          },
        }),
      );
    }
    if (form.get('grant_type') === 'refresh_token') {
      const token = form.get('refresh_token') ?? '';
      const state = this.refreshTokens.get(token);
      if (state !== 'fresh') return refuse('invalid_grant');
      this.refreshes += 1;
      this.refreshTokens.set(token, 'used');
      return json(response, 200, this.issueTokens());
    }
    const device = this.devices.get(form.get('device_code') ?? '');
    if (device === undefined) return refuse('invalid_grant');
    device.polls += 1;
    if (device.slowDowns > 0) {
      device.slowDowns -= 1;
      return refuse('slow_down');
    }
    if (device.status === 'approved') return json(response, 200, this.issueTokens());
    return refuse(
      device.status === 'denied'
        ? 'access_denied'
        : device.status === 'expired'
          ? 'expired_token'
          : 'authorization_pending',
    );
  }

  async #logs(id: string, url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const job = this.job(id);
    const query = LogQuery.parse(Object.fromEntries(url.searchParams));
    const wanted = (line: LogLine) =>
      (query.grep === undefined || line.text.toLowerCase().includes(query.grep.toLowerCase())) &&
      (query.stream === undefined || line.stream === query.stream);
    if (query.follow !== true && request.headers.accept !== 'text/event-stream') {
      let lines = job.lines.filter((line) => line.n > (query.after ?? 0) && wanted(line));
      if (query.tail !== undefined) lines = query.tail === 0 ? [] : lines.slice(-query.tail);
      const page = lines.slice(0, query.limit);
      const more = lines.length > page.length;
      return json(response, 200, {
        ...{ lines: page, total: job.lines.length, nextAfter: more ? (page.at(-1)?.n ?? null) : null },
        ended: isFinal(job.detail.state),
      });
    }
    let at = Number(request.headers['last-event-id'] ?? query.after ?? 0);
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    this.#open.add(response);
    response.flushHeaders();
    if (this.streamGarbage !== null) response.write(`data: ${this.streamGarbage}\n\n`);
    if (this.closeStreams) return void response.end();
    const pump = () => {
      const news = job.lines.filter(({ n }) => n > at);
      const last = news.at(-1);
      if (last !== undefined) {
        at = last.n;
        response.write(`id: ${at}\ndata: ${JSON.stringify(news.filter(wanted))}\n\n`);
      }
      if (!isFinal(job.detail.state)) return;
      response.end(`event: end\ndata: ${JSON.stringify({ total: job.lines.length, state: job.detail.state })}\n\n`);
      this.#followers.delete(pump);
    };
    this.#followers.add(pump);
    response.on('close', () => {
      this.#followers.delete(pump);
      this.#open.delete(response);
    });
    pump();
  }

  #artifact(id: string, name: string, response: ServerResponse): void {
    const job = this.job(id);
    const body = name === 'diff' ? job.diff : (job.files.get(name) ?? null);
    if (body === null) throw new HangarError(name === 'diff' ? 'diff_not_found' : 'artifact_not_found');
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': body.length });
    response.end(body);
  }

  #poke(): void {
    for (const pump of [...this.#followers]) pump();
  }
}

function router(fake: FakeServer) {
  const os = implement(contract).$context<{ identity: Me['identity']['kind']; key: string | undefined }>();
  /** As the real server does: what was thrown crosses the wire as itself. */
  const known = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof HangarError)) throw error;
      const { code, status, message, data } = toWire(error);
      throw new ORPCError(code, { status, message, data });
    }
  };
  /** It is there, and the client does not hear of it. */
  const mayGetLost = <T>(made: T): T => {
    if (fake.loseAnswers === 0) return made;
    fake.loseAnswers -= 1;
    throw new HangarError('database_unavailable');
  };
  const { sandboxes } = fake;
  return {
    sandboxes: {
      open: os.sandboxes.open.handler(({ input, context }) =>
        known(() => mayGetLost(sandboxes.open(input, context.key))),
      ),
      list: os.sandboxes.list.handler(({ input: { state, limit } }) => ({
        items: sandboxes.list(state === undefined ? null : [state].flat()).slice(0, limit),
        nextCursor: null,
      })),
      get: os.sandboxes.get.handler(({ input }) => known(() => sandboxes.look(input.id))),
      close: os.sandboxes.close.handler(({ input }) => known(() => sandboxes.close(input.id, input.keep))),
      pause: os.sandboxes.pause.handler(({ input }) =>
        known(() => sandboxes.turn(input.id, { state: 'paused', reason: 'Paused' })),
      ),
      resume: os.sandboxes.resume.handler(({ input }) =>
        known(() => sandboxes.turn(input.id, { state: 'running', reason: 'Its machine runs' })),
      ),
      executions: os.sandboxes.executions.handler(({ input }) => ({
        items: [...sandboxes.executions.values()]
          .map(({ view }) => view)
          .filter(({ sandbox }) => sandbox === input.id)
          .reverse(),
        nextCursor: null,
      })),
      execute: os.sandboxes.execute.handler(({ input }) => known(() => mayGetLost(sandboxes.execute(input)))),
      execution: os.sandboxes.execution.handler(({ input }) => known(() => sandboxes.execution(input.id).view)),
      cancel: os.sandboxes.cancel.handler(({ input }) => known(() => sandboxes.cancel(input.id))),
    },
    access: {
      me: os.access.me.handler(({ context }) => fake.me(context.identity)),
      listPlans: os.access.listPlans.handler(() => ({ items: [fake.me('token').plan] })),
      listApiKeys: os.access.listApiKeys.handler(() => ({ items: [] })),
      listPeople: os.access.listPeople.handler(() => ({ items: [fake.me('token').user] })),
      listInvites: os.access.listInvites.handler(() => ({ items: [] })),
    },
    system: { search: os.system.search.handler(() => ({ items: [] })) },
    activity: { list: os.activity.list.handler(() => ({ current: [], recent: [] })) },
    profiles: {
      list: os.profiles.list.handler(() => ({ items: fake.profiles })),
      get: os.profiles.get.handler(({ input }) =>
        known(() => {
          const found = fake.profiles.find(({ name }) => name === input.name);
          if (found === undefined) throw new HangarError('profile_not_found');
          return found;
        }),
      ),
      test: os.profiles.test.handler(() => ({
        ok: false,
        checks: [{ name: 'Reach it', ok: false, detail: 'nobody there', wayOut: 'Start it.' }],
      })),
      create: os.profiles.create.handler(({ input }) => {
        const names = secretsOf(input.driver);
        const parts = (isSecret: boolean) =>
          Object.fromEntries(Object.entries(input.settings).filter(([name]) => names.includes(name) === isSecret));
        const secret = parts(true);
        fake.profileSecrets.set(input.name, secret);
        const made: Profile = {
          ...profile(input.name, input.isDefault),
          ...{ driver: input.driver, personal: input.personal ?? false, settings: parts(false), limits: input.limits },
          secrets: Object.fromEntries(names.map((name) => [name, name in secret])),
        };
        fake.profiles.push(made);
        return made;
      }),
      update: os.profiles.update.handler(({ input }) =>
        known(() => {
          const found = fake.profiles.find(({ name }) => name === input.name);
          if (found === undefined) throw new HangarError('profile_not_found');
          fake.profileChanges.push(input);
          return found;
        }),
      ),
    },
    credentials: {
      list: os.credentials.list.handler(() => ({ items: [...fake.credentials.values()].map(withoutValue) })),
      create: os.credentials.create.handler(({ input }) =>
        known(() => {
          if (fake.credentials.has(input.name)) throw new HangarError('credential_exists');
          const { name, kind, value, host = null, username = null } = input;
          const kept = { name, kind, host, username, value, createdAt: new Date().toISOString(), lastUsedAt: null };
          fake.credentials.set(name, kept);
          return withoutValue(kept);
        }),
      ),
      remove: os.credentials.remove.handler(({ input }) =>
        known(() => {
          if (!fake.credentials.delete(input.name)) throw new HangarError('credential_not_found');
          return { done: true as const };
        }),
      ),
    },
    jobs: {
      create: os.jobs.create.handler(({ input }) => known(() => mayGetLost(fake.create(input)))),
      list: os.jobs.list.handler(({ input }) => {
        const states = input.state === undefined ? null : [input.state].flat();
        const items = [...fake.jobs.values()]
          .map(({ detail }) => detail)
          .reverse()
          .filter(
            (job) =>
              (input.repo === undefined || job.repo.name === input.repo) &&
              (input.group === undefined || job.group === input.group) &&
              (states?.includes(job.state) ?? true),
          );
        // A cursor is the last job of the page before.
        const from = input.cursor === undefined ? 0 : items.findIndex(({ id }) => id === input.cursor) + 1;
        const page = items.slice(from, from + input.limit);
        return { items: page, nextCursor: items.length > from + input.limit ? (page.at(-1)?.id ?? null) : null };
      }),
      get: os.jobs.get.handler(({ input }) => known(() => fake.job(input.id).detail)),
      cancel: os.jobs.cancel.handler(({ input }) =>
        known(() => {
          const { state } = fake.job(input.id).detail;
          if (isFinal(state) && state !== 'cancelled') throw new HangarError('job_ended');
          fake.setState(input.id, 'cancelled');
          return fake.job(input.id).detail;
        }),
      ),
      retry: os.jobs.retry.handler(({ input }) =>
        known(() => {
          const { idempotencyKey: _, ...again } = fake.job(input.id).input;
          return { ...fake.create(again), retryOf: input.id };
        }),
      ),
      artifacts: os.jobs.artifacts.handler(({ input }) =>
        known(() => ({
          items: [...fake.job(input.id).files].map(([name, body]) => ({
            ...{ name, kind: 'file' as const, contentType: 'application/octet-stream', sizeBytes: body.length },
            sha256: createHash('sha256').update(body).digest('hex'),
            ...{ partial: false, createdAt: new Date().toISOString() },
          })),
        })),
      ),
      agents: os.jobs.agents.handler(() => ({
        items: AGENTS.map(({ name, title, argv, needsEnv, install, homepage }) => ({
          ...{ name, title, command: argv.join(' '), install, homepage },
          needsEnv: needsEnv.map((any) => [...any]),
        })),
      })),
    },
  };
}

const withoutValue = ({ value: _, ...shown }: Credential & { value: string }): Credential => shown;

function profile(name: string, isDefault: boolean): Profile {
  return {
    name,
    driver: 'local',
    personal: false,
    settings: {},
    secrets: {},
    limits: {},
    isDefault,
    createdAt: new Date().toISOString(),
    jobsRunning: 0,
  };
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function fail(response: ServerResponse, error: unknown): void {
  const known = error instanceof HangarError ? error : new HangarError('internal', { message: String(error) });
  if (response.headersSent) return void response.destroy();
  json(response, known.status, toWire(known, known.kind === 'internal' ? 'ref-1' : undefined));
}
