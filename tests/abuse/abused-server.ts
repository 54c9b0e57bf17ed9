import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job } from '@hangar/contract';
import { ServerProcess } from '../e2e/server-process.ts';

/** Somebody of the server, with every proof of identity a person can have. */
export interface Person {
  readonly id: string;
  readonly name: string;
  readonly password: string;
  readonly apiKey: string;
  /** `name=value` of the session. */
  readonly cookie: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Of a JSON body; null otherwise. */
  readonly json: Record<string, unknown> | null;
}

export interface Asking {
  readonly as?: Person | 'nobody';
  readonly token?: string;
  readonly cookie?: string;
  readonly json?: unknown;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** Secrets that no answer and no line of the server's log may hold. */
export const PLANTED = {
  credential: 'ghp_PlantedCredential4Nobody7Sees',
  env: 'sk-planted-environment-5521-value',
  password: 'a planted password of a person 93',
} as const;

/** A real server with an admin and two members, who have nothing to do with each other. */
export class AbusedServer {
  readonly process: ServerProcess;
  readonly people: { admin: Person; ada: Person; bob: Person };

  private constructor(process: ServerProcess, people: { admin: Person; ada: Person; bob: Person }) {
    this.process = process;
    this.people = people;
  }

  static async start(settings: Record<string, string> = {}): Promise<AbusedServer> {
    const process = await (await ServerProcess.make(settings)).start();
    const adminKey = await process.adminKey();
    const ask = asker(process.url);
    const { json: me } = await ask('GET', '/users/me', { token: adminKey });
    const admin = { id: idOf(me?.user), name: 'Admin', password: '', apiKey: adminKey, cookie: '' };
    const ada = await join(ask, process.url, adminKey, 'Ada');
    const bob = await join(ask, process.url, adminKey, 'Bob');
    return new AbusedServer(process, { admin, ada, bob });
  }

  get url(): string {
    return this.process.url;
  }

  ask(method: string, path: string, o: Asking = {}): Promise<Answer> {
    return asker(this.url)(method, path, o);
  }

  /** Like `ask`, but anything but success is an error of the test. */
  async must<T = Record<string, unknown>>(method: string, path: string, o: Asking = {}): Promise<T> {
    const answer = await this.ask(method, path, o);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return (answer.json ?? {}) as T;
  }

  /** Sends the bytes of a bundle or patch. */
  async upload(as: Person, file: string): Promise<string> {
    const { id } = await this.must('POST', '/uploads', {
      as,
      body: new Uint8Array(readFileSync(file)),
      headers: { 'content-type': 'application/octet-stream' },
    });
    return String(id);
  }

  /** Waits for the job to be as wanted. */
  async until(as: Person, id: string, good: (job: Job) => boolean, what: string): Promise<Job> {
    for (const end = Date.now() + 60_000; ; ) {
      const job = await this.must<Job>('GET', `/jobs/${id}`, { as });
      if (good(job)) return job;
      if (Date.now() > end) throw new Error(`${what}: still ${job.state}, ${job.reason}`);
      await sleep(50);
    }
  }

  ended(as: Person, id: string): Promise<Job> {
    return this.until(as, id, (job) => job.finishedAt !== null, 'the job did not end');
  }

  /** Everything a secret may look like that this server and its people hold. */
  secrets(): string[] {
    const { ada, bob, admin } = this.people;
    const masterKey = readFileSync(this.process.env.HANGAR_MASTER_KEY_FILE ?? '');
    return [
      ...Object.values(PLANTED),
      ...[ada, bob, admin].flatMap((person) => [person.apiKey, person.cookie.split('=')[1] ?? '']),
      ...[masterKey.toString('latin1').trim(), masterKey.toString('base64'), masterKey.toString('hex')],
    ].filter((secret) => secret.length > 8);
  }
}

const idOf = (user: unknown): string =>
  typeof user === 'object' && user !== null && 'id' in user ? String(user.id) : '';

async function join(ask: ReturnType<typeof asker>, url: string, adminKey: string, name: string): Promise<Person> {
  const invite = await ask('POST', '/invites', { token: adminKey, json: {} });
  const password = `${PLANTED.password} ${name}`;
  const accepted = await ask('POST', '/invites/accept', {
    json: {
      token: String(invite.json?.url).split('#')[1],
      name,
      email: `${name.toLowerCase()}@example.org`,
      password,
    },
    headers: { origin: url },
  });
  const cookie = accepted.headers.getSetCookie()[0]?.split(';')[0] ?? '';
  const key = await ask('POST', '/api-keys', { cookie, json: { name: 'abuse' } });
  if (key.status >= 300) throw new Error(`no API key for ${name}: ${key.text}`);
  return { id: idOf(accepted.json), name, password, apiKey: String(key.json?.key), cookie };
}

function asker(url: string) {
  return async (method: string, path: string, o: Asking = {}): Promise<Answer> => {
    const token = o.token ?? (o.as === undefined || o.as === 'nobody' ? undefined : o.as.apiKey);
    const answer = await fetch(`${url}/api${path}`, {
      method,
      redirect: 'manual',
      signal: AbortSignal.timeout(o.timeoutMs ?? 30_000),
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(o.cookie === undefined ? {} : { cookie: o.cookie, origin: url }),
        ...(o.json === undefined ? {} : { 'content-type': 'application/json' }),
        ...o.headers,
      },
      ...(o.json === undefined ? (o.body === undefined ? {} : { body: o.body }) : { body: JSON.stringify(o.json) }),
    });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, text, json: parsed(text) };
  };
}

function parsed(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
