import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job, LogLine } from '@hangar/contract';
import { type Api, connect } from '../../apps/cli/src/server/api.ts';
import { readSettings } from '../../apps/cli/src/settings.ts';

/** What somebody does with the command line, by its own client, in this process: it tries again what the command line would. */
export class Person {
  readonly #api: Api;
  readonly #repo: { bundle: string; commit: string };
  /** Calls that ended with an error that a person would have seen. */
  readonly errors: string[] = [];
  calls = 0;

  private constructor(api: Api, repo: { bundle: string; commit: string }) {
    this.#api = api;
    this.#repo = repo;
  }

  static async signIn(o: { url: string; key: string; dir: string; bundle: Buffer; commit: string }): Promise<Person> {
    const env = { HANGAR_CONFIG_DIR: join(o.dir, 'person'), HANGAR_SERVER: o.url, HANGAR_TOKEN: o.key };
    const api = await connect({
      settings: readSettings(env, o.dir),
      terminal: { warn: () => undefined },
      signal: new AbortController().signal,
      server: undefined,
    });
    const answer = await api.request('/uploads', {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: () => o.bundle,
    });
    const { id } = (await answer.json()) as { id: string };
    return new Person(api, { bundle: id, commit: o.commit });
  }

  get client(): Api['client'] {
    return this.#api.client;
  }

  /** Null: refused with an error that was noted. */
  async does<T>(what: string, work: () => Promise<T>): Promise<T | null> {
    this.calls += 1;
    try {
      return await work();
    } catch (error) {
      this.errors.push(
        `${what}: ${error instanceof Error ? `${error.message} ${'details' in error ? JSON.stringify(error.details) : ''}` : error}`,
      );
      return null;
    }
  }

  /** Sends a job that runs this script; resolves with its id once it is acknowledged. */
  async submit(script: string): Promise<string | null> {
    const job = await this.does('submit', () =>
      this.client.jobs.create({
        spec: `# A job\n\n\`\`\`sh\n${script}\n\`\`\`\n`,
        agent: 'shell',
        idempotencyKey: randomUUID(),
        repo: this.#repo,
      }),
    );
    return job?.id ?? null;
  }

  async log(id: string): Promise<string[] | null> {
    return this.does('log', async () => {
      const answer = await this.#api.request(`/jobs/${id}/logs?limit=5000`);
      const page = (await answer.json()) as { lines: LogLine[] };
      return page.lines.map(({ text }) => text);
    });
  }
  async diff(id: string): Promise<string | null> {
    return this.does('diff', async () => (await this.#api.request(`/jobs/${id}/artifacts/diff`)).text());
  }
  async ended(id: string, ms: number): Promise<Job> {
    const deadline = Date.now() + ms;
    for (;;) {
      const job = (await this.does('status', () => this.client.jobs.get({ id }))) as Job | null;
      if (job?.finishedAt) return job;
      if (Date.now() > deadline) throw new Error(`${id} stays ${job?.state}: ${job?.reason}`);
      await sleep(300);
    }
  }
}
