import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Job, LogLine, Upload } from '@hangar/contract';
import type { ServerProcess } from '../tests/e2e/server-process.ts';

/** A program that speaks to the public API, with as little around it as can be: the bars measure the server. */
export async function jobClient(server: ServerProcess) {
  const key = await server.adminKey();
  const headers = { authorization: `Bearer ${key}` };
  const api = `${server.url}/api`;

  async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await fetch(`${api}${path}`, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  /** Follows the log to its end, or to the first line that is looked for; leaving the loop closes the stream. */
  async function follow(id: string, firstOnly: (line: LogLine) => boolean): Promise<void> {
    const answer = await fetch(`${api}/jobs/${id}/logs?follow=true`, {
      headers: { ...headers, accept: 'text/event-stream' },
    });
    let text = '';
    for await (const chunk of answer.body ?? []) {
      text += Buffer.from(chunk).toString();
      if (text.includes('event: end')) return;
      for (const [, data] of text.matchAll(/^data: (\[.*\])$/gm)) {
        if ((JSON.parse(data ?? '[]') as LogLine[]).some(firstOnly)) return;
      }
    }
  }

  return {
    key,
    call,
    follow,
    async fromCheckout(
      repo: string,
      spec: string,
      more: Record<string, unknown> = {},
    ): Promise<Record<string, unknown>> {
      const file = join(server.dir, 'bench.bundle');
      execFileSync('git', ['bundle', 'create', '-q', file, 'HEAD'], { cwd: repo });
      const commit = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: repo, encoding: 'utf8' }).trim();
      const answer = await fetch(`${api}/uploads`, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/octet-stream' },
        body: readFileSync(file),
      });
      const { id: bundle } = (await answer.json()) as Upload;
      return { spec, repo: { bundle, commit }, ...more };
    },
    async runToEnd(request: Record<string, unknown>): Promise<Job> {
      const { id } = await call<Job>('POST', '/jobs', request);
      await follow(id, () => false);
      return call<Job>('GET', `/jobs/${id}`);
    },
    /** Milliseconds to the first line of any kind at a follower, and to the first the agent itself prints. */
    async firstLines(request: Record<string, unknown>): Promise<{ job: Job; anyMs: number; agentMs: number }> {
      const begun = performance.now();
      const job = await call<Job>('POST', '/jobs', request);
      let anyMs = 0;
      await follow(job.id, ({ stream }) => {
        anyMs ||= performance.now() - begun;
        return stream === 'stdout';
      });
      return { job, anyMs, agentMs: performance.now() - begun };
    },
  };
}
