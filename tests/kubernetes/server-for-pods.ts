import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JobDetail, Plan } from '@hangar/contract';
import { expect } from 'vitest';
import { parse, stringify } from 'yaml';
import { freePort, makeRepo, ServerProcess } from '../e2e/server-process.ts';
import type { ClusterForTests } from './cluster.ts';

/** A real server that pods reach, with a repository to send and the Kubernetes settings for it. */
export class ServerForPods {
  readonly server: ServerProcess;
  readonly repo: string;
  readonly #key: string;
  #specs = 0;

  constructor(server: ServerProcess, repo: string, key: string) {
    this.server = server;
    this.repo = repo;
    this.#key = key;
  }

  async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await fetch(`${this.server.url}/api${path}`, {
      ...{ method, body: body === undefined ? null : JSON.stringify(body) },
      headers: { authorization: `Bearer ${this.#key}`, 'content-type': 'application/json' },
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  static async start(cluster: ClusterForTests, env: Record<string, string> = {}): Promise<ServerForPods> {
    const port = await freePort();
    const dir = mkdtempSync(join(tmpdir(), 'hangar-kube-'));
    const server = new ServerProcess(dir, port, {
      // On the address that pods reach, and on loopback for the command line.
      HANGAR_HOST: '0.0.0.0',
      HANGAR_PUBLIC_URL: `http://${cluster.hostForPods}:${port}`,
      HANGAR_WORKER_IMAGE: await cluster.image('node'),
      KUBECONFIG: [cluster.kubeconfig, join(dir, 'more.kubeconfig')].join(delimiter),
      ...env,
    });
    await server.start();
    const made = new ServerForPods(server, await makeRepo(join(server.dir, 'repo')), await server.signIn());
    const { items } = await made.call<{ items: Plan[] }>('GET', '/plans');
    for (const plan of items) await made.call('PUT', `/plans/${plan.id}`, { ...plan, jobsAtOnce: 40 });
    return made;
  }

  async profile(name: string, settings: Record<string, string>, ...options: string[]): Promise<void> {
    const set = Object.entries({ pull: 'never', ...settings }).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
    const made = await this.server.hangar(['profiles', 'create', name, '--driver', 'kubernetes', ...set, ...options]);
    expect(made.exitCode, made.stderr).toBe(0);
  }

  /** A context of the name of a service account, that has its rights: beside the other, in the cluster of that name there. */
  async contextOf({ kubeconfig, kubectl }: ClusterForTests, name: string, namespace: string): Promise<void> {
    const token = (await kubectl(['create', 'token', name, '-n', namespace])).trim();
    const { contexts } = parse(readFileSync(kubeconfig, 'utf8'));
    const context = { cluster: contexts[0].context.cluster, user: name, namespace };
    const more = { users: [{ name, user: { token } }], contexts: [{ name, context }] };
    writeFileSync(join(this.server.dir, 'more.kubeconfig'), stringify(more));
    // Kubeconfigs are read again every five seconds.
    await sleep(6_000);
  }

  /** Sends a job and gives its id. */
  async send(profile: string, script: string, ...options: string[]): Promise<string> {
    const file = join(this.server.dir, `spec-${this.#specs++}.md`);
    writeFileSync(file, `# Try\n\n\`\`\`sh\n${script}\n\`\`\`\n`);
    const args = ['run', '--cloud', '--on', profile, '--spec', file, '--json', ...options];
    const sent = await this.server.hangar(args, { cwd: this.repo });
    expect(sent.exitCode, sent.stderr).toBe(0);
    return (JSON.parse(sent.stdout) as { id: string }).id;
  }

  async status(id: string): Promise<JobDetail> {
    const { stdout, stderr, exitCode } = await this.server.hangar(['status', id, '--json']);
    expect([0, 5], stderr).toContain(exitCode);
    return JSON.parse(stdout) as JobDetail;
  }

  /** Waits until `hangar status --json` shows what `is` looks for. */
  async until(id: string, is: (job: JobDetail) => boolean, ms = 90_000): Promise<JobDetail> {
    const deadline = performance.now() + ms;
    for (;;) {
      const job = await this.call<JobDetail>('GET', `/jobs/${id}`);
      if (is(job)) {
        const shown = await this.status(id);
        if (is(shown)) return shown;
      }
      if (performance.now() > deadline) throw new Error(`${id} is ${job.state}: ${job.reason}`);
      await sleep(300);
    }
  }

  ended = (id: string, ms?: number): Promise<JobDetail> => this.until(id, (job) => job.finishedAt !== null, ms);

  async log(id: string): Promise<string> {
    return (await this.server.hangar(['logs', id])).stdout;
  }

  remove = (): Promise<void> => this.server.remove();
}
