import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Artifact, JobDetail, LogLine, LogPage } from '@hangar/contract';
import type { Client } from './client.ts';
import type { Base, Followed, SentJob } from './fleet.ts';
import type { Kill } from './killer.ts';
import { LINES_A_STEP, type PlannedJob } from './plan.ts';

/** Everything that can be known of one job when all is over. */
export interface Evidence {
  readonly sent: SentJob;
  readonly plan: PlannedJob;
  readonly job: JobDetail;
  readonly lines: readonly LogLine[];
  readonly logEnded: boolean;
  readonly followed: Followed;
  readonly artifacts: readonly Artifact[];
  /** Null: there is none. */
  readonly diff: { readonly text: string; readonly partial: boolean; readonly sha256Fits: boolean } | null;
  readonly report: string | null;
  /** Kills of something that worked for this job. */
  readonly hits: readonly Kill[];
}

export async function gather(client: Client, sent: SentJob, kills: readonly Kill[]): Promise<Evidence> {
  const { id, plan } = sent;
  const followed = await sent.followed;
  const job = await client.json<JobDetail>('GET', `/jobs/${id}`);
  const page = await client.json<LogPage>('GET', `/jobs/${id}/logs?limit=10000`);
  const { items: artifacts } = await client.json<{ items: Artifact[] }>('GET', `/jobs/${id}/artifacts`);
  const listed = artifacts.find(({ kind }) => kind === 'diff');
  const found = listed ? await client.bytes(`/jobs/${id}/artifacts/diff`) : null;
  const report = artifacts.some(({ name }) => name === 'report.txt')
    ? await client.bytes(`/jobs/${id}/artifacts/report.txt`)
    : null;
  return {
    ...{ sent, plan, job, followed, artifacts },
    lines: page.lines,
    logEnded: page.ended,
    diff:
      listed && found
        ? {
            text: found.bytes.toString('utf8'),
            partial: listed.partial,
            sha256Fits: createHash('sha256').update(found.bytes).digest('hex') === listed.sha256,
          }
        : null,
    report: report?.bytes.toString('utf8') ?? null,
    hits: kills.filter(({ of }) => of === id),
  };
}

/** How many numbered lines of the agent the log holds from the first on; null when they are not 1, 2, 3 … */
export function numberedLines({ lines, plan }: Pick<Evidence, 'lines' | 'plan'>): number | null {
  const numbers = lines
    .filter(({ stream }) => stream === 'stdout')
    .map(({ text }) => (text.endsWith(` of ${plan.tag}`) ? Number(/^line (\d+) /.exec(text)?.[1]) : Number.NaN));
  return numbers.every((number, index) => number === index + 1) ? numbers.length : null;
}

export const allLines = (plan: PlannedJob): number => plan.steps * LINES_A_STEP;

/** What a diff that was saved at some step must hold, file by file: null when it is right, else what is wrong. */
export function diffProblem(evidence: Evidence, whole: boolean): string | null {
  const { diff, plan } = evidence;
  if (!diff) return 'there is none';
  if (!diff.sha256Fits) return 'its bytes do not fit its SHA-256';
  const files = new Map(
    diff.text
      .split(/^diff --git /m)
      .slice(1)
      .map((part) => [/^a\/(\S+)/.exec(part)?.[1] ?? '', part] as const),
  );
  const added = (file: string) => [...(files.get(file) ?? '').matchAll(/^\+(?!\+\+ )(.*)$/gm)].map(([, text]) => text);
  const steps = added('progress.txt');
  if (!steps.every((text, index) => text === `step ${index + 1}`)) return `progress.txt: ${steps.join(', ')}`;
  if (whole && steps.length !== plan.steps) return `${steps.length} steps of ${plan.steps}`;
  const expected = [`new/${plan.tag}.txt`, 'README.md', 'progress.txt', ...(plan.binary ? ['image.bin'] : [])];
  const foreign = [...files.keys()].filter((file) => !expected.includes(file));
  if (foreign.length > 0) return `it holds ${foreign.join(', ')}`;
  if (!whole) return files.size > 0 ? null : 'it is empty';
  const missing = expected.filter((file) => !files.has(file));
  if (missing.length > 0) return `it lacks ${missing.join(', ')}`;
  if (added(`new/${plan.tag}.txt`).join() !== `new of ${plan.tag}`) return 'the new file is wrong';
  if (added('README.md').join() !== `# Changed by ${plan.tag}`) return 'README.md is wrong';
  if (plan.binary && !files.get('image.bin')?.includes('GIT binary patch')) return 'image.bin is no binary patch';
  return null;
}

/** Applies a diff to the base in an index of its own, as `hangar pull` would. Null: it fits. */
export function applyProblem({ diff, plan }: Evidence, base: Base): string | null {
  const dir = mkdtempSync(join(base.repo, '.git', 'apply-'));
  try {
    const file = join(dir, 'diff');
    writeFileSync(file, diff?.text ?? '');
    const git = (...args: string[]) =>
      execFileSync('git', args, {
        cwd: base.repo,
        env: { ...process.env, GIT_INDEX_FILE: join(dir, 'index') },
        stdio: ['ignore', 'pipe', 'pipe'],
      }).toString();
    git('read-tree', plan.patch ? base.patched : base.commit);
    git('apply', '--cached', '--binary', file);
    const progress = git('show', ':progress.txt');
    return progress === Array.from({ length: plan.steps }, (_, index) => `step ${index + 1}\n`).join('')
      ? null
      : 'what it makes of progress.txt is wrong';
  } catch (error) {
    return error instanceof Error ? error.message.slice(0, 200) : String(error);
  } finally {
    rmSync(dir, { recursive: true });
  }
}
