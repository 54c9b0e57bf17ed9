import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job, LogLine } from '@hangar/contract';
import { makeRepo } from '../../tests/e2e/server-process.ts';
import type { Client } from './client.ts';
import { type Following, follow } from './follower.ts';
import { type PlannedJob, specOf } from './plan.ts';

export interface Followed extends Following {
  /** `stream text` of each line, as seen. */
  readonly lines: readonly string[];
}

export interface SentJob {
  readonly plan: PlannedJob;
  readonly id: string;
  readonly followed: Promise<Followed>;
  /** Its log has ended, so its follower was told to go. */
  over: boolean;
  /** Its worker was killed: it waits for the server to notice. */
  doomed: boolean;
}

/** The checkout that all jobs start from, sent once. */
export interface Base {
  readonly repo: string;
  readonly commit: string;
  readonly bundle: string;
  readonly patch: string;
  /** Commit of the base with the patch applied. */
  readonly patched: string;
}

const git = (repo: string, ...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=Chaos', '-c', 'user.email=chaos@example.org', ...args], { cwd: repo });

export async function sendBase(client: Client, dir: string): Promise<Base> {
  const repo = await makeRepo(join(dir, 'repo'), {
    'README.md': '# A repository\n\nText.\n',
    'src/deep/file.txt': 'one\ntwo\n',
  });
  const head = () => git(repo, 'rev-parse', 'HEAD').toString().trim();
  const commit = head();
  git(repo, 'bundle', 'create', '-q', join(dir, 'base.bundle'), 'HEAD');
  const upload = async (bytes: Uint8Array) => (await client.send<{ id: string }>('/uploads', bytes)).id;
  const bundle = await upload(readFileSync(join(dir, 'base.bundle')));
  writeFileSync(join(repo, 'uncommitted.txt'), 'not yet committed\n');
  git(repo, 'add', '-A');
  const patch = await upload(git(repo, 'diff', '--cached', '--binary'));
  git(repo, 'commit', '-q', '-m', 'What the patch holds');
  return { repo, commit, bundle, patch, patched: head() };
}

export interface Fleet {
  readonly sent: readonly SentJob[];
  byId(id: string): SentJob | undefined;
  /** Sends no more. Resolves when what is on its way has been accepted. */
  close(): Promise<void>;
}

const SENDERS = 3;

/** Keeps so many jobs in flight that have not lost their worker, each with a follower of its log. */
export function launchFleet(o: {
  client: Client;
  base: Base;
  atOnce: number;
  markPort: number;
  /** Ends the followers, whatever they still wait for. */
  signal: AbortSignal;
  next: () => PlannedJob | null;
}): Fleet {
  const { client, base } = o;
  const sent: SentJob[] = [];
  let onTheWay = 0;
  let closed = false;

  async function send(plan: PlannedJob): Promise<void> {
    const { tag, profile, patch } = plan;
    const job = await client.json<Job>('POST', '/jobs', {
      title: tag,
      spec: specOf(plan, o.markPort),
      repo: { bundle: base.bundle, commit: base.commit, name: 'chaos', ...(patch ? { patch: base.patch } : {}) },
      profile,
      idempotencyKey: tag,
    });
    const lines: string[] = [];
    const take = ({ stream, text }: LogLine) => void lines.push(`${stream} ${text}`);
    const followed = follow(client, `/jobs/${job.id}/logs?follow=true`, { signal: o.signal, take }).then(
      (following) => ({
        ...following,
        lines,
      }),
    );
    const entry: SentJob = { plan, id: job.id, followed, over: false, doomed: false };
    sent.push(entry);
    void followed.then(() => {
      entry.over = true;
    });
  }

  async function sender(): Promise<void> {
    while (!closed) {
      const alive = sent.filter(({ over, doomed }) => !over && !doomed).length;
      const plan = alive + onTheWay < o.atOnce ? o.next() : null;
      if (!plan) {
        await sleep(50);
        continue;
      }
      onTheWay += 1;
      await send(plan).finally(() => {
        onTheWay -= 1;
      });
    }
  }
  const senders = Promise.all(Array.from({ length: SENDERS }, sender));
  // Waited for in close(); until then a failure must not end the program.
  senders.catch(() => undefined);

  return {
    sent,
    byId: (id) => sent.find((job) => job.id === id),
    async close() {
      closed = true;
      await senders;
    },
  };
}
