import { setTimeout as sleep } from 'node:timers/promises';

/** An answer that no restart explains: neither done nor "not now". */
export class WrongAnswer extends Error {
  readonly status: number;
  constructor(what: string, status: number, text: string) {
    super(`${what}: ${status} ${text.slice(0, 300)}`);
    this.name = 'WrongAnswer';
    this.status = status;
  }
}

export interface Client {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Answers that were neither done, nor 503, nor a lost connection. */
  readonly wrong: string[];
  /** Asks until it is answered, through restarts of the server. @throws WrongAnswer */
  json<T>(method: string, path: string, body?: unknown, deadlineMs?: number): Promise<T>;
  bytes(path: string): Promise<{ bytes: Buffer; headers: Headers } | null>;
  /** Bytes, through restarts like `json`. @throws WrongAnswer */
  send<T>(path: string, body: Uint8Array): Promise<T>;
}

const CALL_MS = 30_000;
const PATIENCE_MS = 300_000;

/**
 * A program that speaks to the public API and believes that a server that is away comes back.
 * @param notNow statuses that mean the same: what the server needs is away
 */
export function createClient(url: string, key: string, notNow: readonly number[] = [503, 429]): Client {
  const headers = { authorization: `Bearer ${key}` };
  const wrong: string[] = [];

  async function ask(what: string, path: string, init: RequestInit, deadlineMs: number): Promise<Response> {
    const deadline = performance.now() + deadlineMs;
    for (let pause = 50; ; pause = Math.min(1_000, pause * 2)) {
      const answer = await fetch(`${url}/api${path}`, { ...init, signal: AbortSignal.timeout(CALL_MS) })
        // The whole body, because a server may die in the middle of it.
        .then(async (head) => new Response(await head.arrayBuffer(), head))
        .catch(() => null);
      if (answer?.ok || answer?.status === 404) return answer;
      if (answer && !notNow.includes(answer.status)) {
        const failure = new WrongAnswer(what, answer.status, await answer.text());
        wrong.push(failure.message);
        if (answer.status < 500) throw failure;
      }
      if (performance.now() > deadline) throw new Error(`${what}: no answer in ${deadlineMs} ms`);
      await sleep(pause);
    }
  }

  return {
    url,
    headers,
    wrong,
    async json<T>(method: string, path: string, body?: unknown, deadlineMs = PATIENCE_MS): Promise<T> {
      const what = `${method} ${path}`;
      const init: RequestInit = {
        method,
        headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      };
      const answer = await ask(what, path, init, deadlineMs);
      if (answer.status === 404) throw new WrongAnswer(what, 404, await answer.text());
      return (await answer.json()) as T;
    },
    async bytes(path) {
      const answer = await ask(`GET ${path}`, path, { headers }, PATIENCE_MS);
      if (answer.status === 404) return null;
      return { bytes: Buffer.from(await answer.arrayBuffer()), headers: answer.headers };
    },
    async send<T>(path: string, body: Uint8Array): Promise<T> {
      const init = {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/octet-stream' },
        body: new Uint8Array(body),
      };
      const answer = await ask(`POST ${path}`, path, init, PATIENCE_MS);
      return (await answer.json()) as T;
    },
  };
}
