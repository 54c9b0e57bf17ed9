import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { SandboxDiff } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { shellCommand } from '@hangar/contract/shell-words';
import { recallSent } from '../checkout/send/sent.ts';
import type { Cli } from '../cli.ts';
import type { FetchedDiff } from '../jobs/fetch-diff.ts';
import { refuseForeign } from '../jobs/job-id.ts';
import type { Api } from '../server/api.ts';
import { throughBreaks } from '../server/through-breaks.ts';
import { naming } from '../terminal/file-trouble.ts';

const PATIENCE_MS = 5 * 60_000;

export interface SandboxDiffWish {
  readonly server?: string | undefined;
  /** A folder of the sandbox in the work tree. */
  readonly path?: string | undefined;
  readonly base?: string | undefined;
  /** It is for the files of this checkout, not only to be looked at. */
  readonly forCheckout: boolean;
  readonly anyway: boolean;
}

/**
 * What was changed in a git tree of a sandbox, in a file: made in its machine now.
 * @throws HangarError sandbox_not_found, sandbox_closed, git_tree_missing, job_of_other_repository
 */
export async function fetchSandboxDiff(cli: Cli, wish: SandboxDiffWish, id: string): Promise<FetchedDiff> {
  const api = await cli.api(wish.server);
  const checkout = wish.forCheckout ? await cli.checkout() : null;
  const progress = cli.terminal.progress('Making the diff in the sandbox');
  try {
    const { path: at, base } = wish;
    const [{ job, name }, made] = await Promise.all([
      api.client.sandboxes.get({ id }),
      api.client.sandboxes.diff({
        id,
        ...(at === undefined ? {} : { path: at }),
        ...(base === undefined ? {} : { base }),
      }),
    ]);
    if (checkout !== null && !wish.anyway) {
      const known = job === null ? null : await api.client.jobs.get({ id: job });
      const { path, commit } = made;
      await refuseForeign(checkout, {
        ...{
          id,
          was: known === null ? `${path} in ${id} is a work tree of its own` : `${id} has files of ${known.repo.name}`,
        },
        repo: known?.repo ?? { name: path, commit, root: null, url: null },
      });
    }
    const common = {
      ...{ jobId: id, title: name ?? (job === null ? `Changes of ${id}` : `Changes of ${id}, from ${job}`) },
      pull: shellCommand(['hangar', 'pull', id, ...flag('--path', at), ...flag('--base', base)]),
      ...{ of: 'sandbox' as const, partial: false, leftOut: made.leftOut ?? [], baseCommit: made.commit },
      sent: checkout === null || job === null ? null : await recallSent(checkout, job),
    };
    if (made.filesChanged === 0) return { ...common, file: null, dispose: async () => {} };
    const dir = await mkdtemp(join(tmpdir(), 'hangar-diff-'));
    const dispose = () => rm(dir, { recursive: true, force: true });
    try {
      const file = join(dir, 'diff');
      await throughBreaks({ terminal: cli.terminal, signal: cli.signal, patienceMs: PATIENCE_MS }, () =>
        receive(api, id, made, file, cli.signal),
      );
      return { ...common, file, dispose };
    } catch (error) {
      await dispose();
      throw error;
    }
  } finally {
    progress.done();
  }
}

async function receive(api: Api, id: string, made: SandboxDiff, file: string, signal: AbortSignal): Promise<void> {
  const { body } = await api.request(`/drivers/sessions/${id}/diff/${made.diff}`);
  const hash = createHash('sha256');
  const source = Readable.from(body);
  source.on('data', (chunk: Uint8Array) => hash.update(chunk));
  await naming(file, pipeline(source, createWriteStream(file, { mode: 0o600 }), { signal }));
  if (hash.digest('hex') === made.sha256) return;
  throw new HangarError('connection_lost', {
    message: 'The diff did not come as it was made.',
    wayOut: `Make it again: hangar sandbox diff ${id}`,
  });
}

const flag = (name: string, value: string | undefined): string[] => (value === undefined ? [] : [`${name}=${value}`]);
