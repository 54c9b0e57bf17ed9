import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { Answer } from './answers.ts';
import { createSandboxFiles, type SandboxFiles } from './files.ts';
import { api, checkCreate, type Organization } from './organization.ts';
import { killSandbox, SANDBOX_VARIABLE } from './processes.ts';
import { createSessions, type SessionFaults, type Sessions } from './sessions.ts';
import { createTerminals, type Terminals } from './terminals.ts';

export interface FakeSandbox {
  readonly id: string;
  readonly folder: string;
  readonly env: Record<string, string>;
  readonly dto: Dto;
  readonly sessions: Sessions;
  readonly terminals: Terminals;
  readonly files: SandboxFiles;
}

type Dto = Record<string, unknown> & {
  id: string;
  name: string;
  state: string;
  labels: Record<string, string>;
  cpu: number;
  memory: number;
  disk: number;
  autoStopInterval: number;
  autoDeleteInterval: number;
  createdAt: string;
  autoDestroyAt?: string;
  lastActivityAt: string;
};

export interface ControlPlane {
  readonly sandboxes: ReadonlyMap<string, FakeSandbox>;
  find(idOrName: string): FakeSandbox | null;
  /** Null: no such route. @param pathname behind the base path of the API */
  answer(method: string, pathname: string, query: URLSearchParams, body: unknown): Promise<Answer | null>;
  /** As the clocks of Daytona would do it now: idle sandboxes stop, those over their time are deleted. */
  tick(now: number): Promise<void>;
  dispose(): Promise<void>;
}

const MINUTE_MS = 60_000;
const START_MS = 50;

export function createControlPlane(o: {
  folder: string;
  toolboxUrl: () => string;
  organization: Organization;
  faults: SessionFaults;
  graceMs: number;
}): ControlPlane {
  const { organization } = o;
  const sandboxes = new Map<string, FakeSandbox>();
  const find = (idOrName: string): FakeSandbox | null =>
    sandboxes.get(idOrName) ?? [...sandboxes.values()].find(({ dto }) => dto.name === idOrName) ?? null;
  const running = () => [...sandboxes.values()].filter(({ dto }) => dto.state === 'started');

  function create(body: unknown): Answer {
    const asked = Object(body) as Record<string, unknown>;
    const { name, snapshot, labels = {}, cpu, memory, disk } = asked;
    const wrong = checkCreate(asked, organization);
    if (wrong !== null) return wrong;
    if (typeof name === 'string' && find(name) !== null) return api(409, `Sandbox with name ${name} already exists`);
    const size = { cpu: Number(cpu ?? 1), memory: Number(memory ?? 1), disk: Number(disk ?? 3) };
    const refused = tooMuch(size);
    if (refused !== null) return refused;
    const id = randomUUID();
    const folder = path.join(o.folder, id, 'home');
    const store = path.join(o.folder, id, 'daemon');
    // At once: no other create of the same name may come in between.
    mkdirSync(folder, { recursive: true });
    const env = {
      ...{ PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: folder, TMPDIR: folder, LANG: 'C.UTF-8' },
      ...stringsOf(asked.env),
      [SANDBOX_VARIABLE]: id,
    };
    const now = new Date();
    const ttl = Number(asked.ttlMinutes ?? 0);
    const dto: Dto = {
      ...{ id, organizationId: 'organization', name: typeof name === 'string' ? name : id, user: 'daytona', env: {} },
      ...{ labels: { ...(labels as Record<string, string>) }, public: false, target: String(asked.target ?? 'us') },
      ...{
        networkBlockAll: asked.networkBlockAll === true,
        gpu: 0,
        ...size,
        state: 'creating',
        desiredState: 'started',
      },
      ...(typeof snapshot === 'string' ? { snapshot } : {}),
      ...{ autoStopInterval: Number(asked.autoStopInterval ?? 15), autoArchiveInterval: 10_080 },
      ...{ autoDeleteInterval: Number(asked.autoDeleteInterval ?? -1), sandboxClass: organization.sandboxClass },
      ...(ttl > 0 && organization.hasTtl
        ? { autoDestroyAt: new Date(now.getTime() + ttl * MINUTE_MS).toISOString() }
        : {}),
      ...{ createdAt: now.toISOString(), updatedAt: now.toISOString(), lastActivityAt: now.toISOString() },
      toolboxProxyUrl: o.toolboxUrl(),
    };
    const sandbox: FakeSandbox = {
      ...{ id, folder, env, dto, files: createSandboxFiles({ folder }) },
      sessions: createSessions({ folder, store, env, graceMs: o.graceMs, faults: o.faults }),
      terminals: createTerminals({ folder, store, env }),
    };
    sandboxes.set(id, sandbox);
    setTimeout(() => {
      if (dto.state === 'creating') Object.assign(dto, organization.becomes);
    }, START_MS);
    return { status: 200, body: dto };
  }

  function tooMuch(size: { cpu: number; memory: number }): Answer | null {
    if (size.memory > organization.mostMemoryEach) {
      return api(
        403,
        `Memory request ${size.memory}GB exceeds maximum allowed per sandbox (${organization.mostMemoryEach}GB).\nNeed higher resource limits per-sandbox? Contact us`,
      );
    }
    const cpus = running().reduce((sum, { dto }) => sum + dto.cpu, 0);
    if (cpus + size.cpu > organization.mostCpu) {
      return api(403, `Total CPU limit exceeded. Maximum allowed: ${organization.mostCpu}.`);
    }
    return sandboxes.size >= organization.mostSandboxes
      ? api(403, `Sandbox resource limit reached (${organization.mostSandboxes}), please try again later.`)
      : null;
  }

  async function stop(sandbox: FakeSandbox, state: string): Promise<void> {
    sandbox.dto.state = state;
    sandbox.sessions.dispose();
    sandbox.terminals.dispose();
    await killSandbox(sandbox.id);
    // An ephemeral one is deleted when it stops.
    if (sandbox.dto.autoDeleteInterval === 0) await destroy(sandbox);
  }

  async function destroy(sandbox: FakeSandbox): Promise<void> {
    sandboxes.delete(sandbox.id);
    sandbox.dto.state = 'destroyed';
    sandbox.sessions.dispose();
    sandbox.terminals.dispose();
    await killSandbox(sandbox.id);
    await rm(path.join(o.folder, sandbox.id), { recursive: true, force: true });
  }

  function list(query: URLSearchParams): Answer {
    const limit = Number(query.get('limit') ?? 100);
    if (!Number.isInteger(limit) || limit < 1 || limit > 200) return api(400, 'limit must be between 1 and 200');
    const labels = Object.entries(stringsOf(parsed(query.get('labels') ?? '{}')));
    const from = Number(query.get('cursor') ?? 0);
    if (!Number.isInteger(from) || from < 0) return api(400, 'cursor is invalid');
    const found = [...sandboxes.values()].filter(({ dto }) =>
      labels.every(([name, value]) => dto.labels[name] === value),
    );
    const nextCursor = from + limit < found.length ? String(from + limit) : null;
    // The list tells less of each than a look at one does.
    const items = found.slice(from, from + limit).map(({ dto: { env: _, ...dto } }) => dto);
    return { status: 200, body: { items, nextCursor } };
  }

  async function act(
    sandbox: FakeSandbox,
    verb: string,
    query: URLSearchParams,
    body: unknown,
  ): Promise<Answer | null> {
    const { dto } = sandbox;
    const wrong = (state: string) => api(409, `Sandbox is not ${state}: its state is ${dto.state}`);
    const [action = '', value = ''] = verb.split('/');
    const number = Number(value);
    switch (action) {
      case 'start': {
        if (!['stopped', 'paused', 'archived'].includes(dto.state)) return wrong('stopped');
        const refused = tooMuch({ cpu: dto.cpu, memory: dto.memory });
        if (refused !== null) return refused;
        dto.state = 'started';
        dto.lastActivityAt = new Date().toISOString();
        return { status: 200, body: dto };
      }
      case 'stop':
        if (dto.state !== 'started') return wrong('started');
        await stop(sandbox, 'stopped');
        return { status: 200, body: dto };
      case 'pause':
        if (dto.sandboxClass !== 'linux-vm') return api(400, 'Sandboxes of this class cannot be paused');
        if (dto.state !== 'started') return wrong('started');
        await stop(sandbox, 'paused');
        return { status: 200, body: dto };
      case 'archive':
        if (dto.state !== 'stopped') return wrong('stopped');
        dto.state = 'archived';
        return { status: 200, body: dto };
      case 'resize': {
        const asked = Object(body) as Record<string, unknown>;
        const size = { cpu: Number(asked.cpu ?? dto.cpu), memory: Number(asked.memory ?? dto.memory) };
        if (!Number.isInteger(size.cpu) || !Number.isInteger(size.memory)) return api(400, 'sizes must be integers');
        if (dto.state === 'started' && (size.cpu < dto.cpu || size.memory < dto.memory)) {
          return api(400, 'A running sandbox cannot be made smaller');
        }
        const refused = tooMuch({ cpu: size.cpu - dto.cpu, memory: size.memory });
        if (refused !== null) return refused;
        Object.assign(dto, size);
        return { status: 200, body: dto };
      }
      case 'ssh-access': {
        const minutes = Number(query.get('expiresInMinutes') ?? 60);
        const token = randomUUID();
        const expiresAt = new Date(Date.now() + minutes * MINUTE_MS).toISOString();
        const access = { id: randomUUID(), sandboxId: dto.id, token, expiresAt, createdAt: dto.createdAt };
        return { status: 200, body: { ...access, updatedAt: dto.createdAt, sshCommand: `ssh ${token}@ssh.invalid` } };
      }
      case 'last-activity':
        dto.lastActivityAt = new Date().toISOString();
        return { status: 200 };
      case 'labels': {
        const labels: unknown = Object(body).labels;
        if (typeof labels !== 'object' || labels === null) return api(400, 'labels must be an object');
        dto.labels = stringsOf(labels);
        return { status: 200, body: { labels: dto.labels } };
      }
      case 'autostop':
        if (!Number.isInteger(number) || number < 0) return api(400, 'Auto-stop interval must be non-negative');
        dto.autoStopInterval = number;
        return { status: 200, body: dto };
      case 'ttl':
        if (!Number.isInteger(number) || number < 0) return api(400, 'ttlMinutes must be non-negative');
        if (number === 0) delete dto.autoDestroyAt;
        else dto.autoDestroyAt = new Date(Date.parse(dto.createdAt) + number * MINUTE_MS).toISOString();
        return { status: 200, body: dto };
      default:
        return null;
    }
  }

  return {
    sandboxes,
    find,

    async answer(method, pathname, query, body) {
      if (pathname === '/config' && method === 'GET') return { status: 200, body: { version: '0.216.0' } };
      if (pathname === '/sandbox') {
        if (method === 'GET') return list(query);
        return method === 'POST' ? create(body) : null;
      }
      const [, given, verb] = /^\/sandbox\/([^/]+)(?:\/(.+))?$/.exec(pathname) ?? [];
      if (given === undefined) return null;
      const sandbox = find(decodeURIComponent(given));
      if (sandbox === null) return api(404, `Sandbox with ID or name ${given} not found`);
      if (verb === undefined) {
        if (method === 'DELETE') await destroy(sandbox);
        return method === 'GET' || method === 'DELETE' ? { status: 200, body: sandbox.dto } : null;
      }
      if (verb === 'toolbox-proxy-url' && method === 'GET') return { status: 200, body: { url: o.toolboxUrl() } };
      return METHODS[verb.split('/')[0] ?? ''] === method ? act(sandbox, verb, query, body) : null;
    },

    async tick(now) {
      for (const sandbox of [...sandboxes.values()]) {
        const { autoDestroyAt, autoStopInterval, lastActivityAt, state } = sandbox.dto;
        if (autoDestroyAt !== undefined && Date.parse(autoDestroyAt) <= now) await destroy(sandbox);
        else if (state === 'started' && autoStopInterval > 0) {
          if (Date.parse(lastActivityAt) + autoStopInterval * MINUTE_MS <= now) await stop(sandbox, 'stopped');
        }
      }
    },

    async dispose() {
      for (const sandbox of [...sandboxes.values()]) await destroy(sandbox);
    },
  };
}

const METHODS: Readonly<Record<string, string>> = {
  ...{ start: 'POST', stop: 'POST', pause: 'POST', archive: 'POST', resize: 'POST', 'ssh-access': 'POST' },
  ...{ 'last-activity': 'POST', labels: 'PUT', autostop: 'POST', ttl: 'POST' },
};

const stringsOf = (value: unknown): Record<string, string> =>
  Object.fromEntries(Object.entries(Object(value)).map(([name, one]) => [name, String(one)]));

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
