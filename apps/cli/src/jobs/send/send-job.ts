import { resolve } from 'node:path';
import { GitRef, type Job, type NewJob, RepoUrl } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { plural } from '@hangar/contract/words/number';
import {
  type Checkout,
  cloneable,
  findCheckout,
  findRemote,
  isOnRemote,
  nameOf,
  needCheckout,
  needHead,
  type Remote,
  repoName,
  treeState,
} from '../../checkout/checkout.ts';
import { rootCommit } from '../../checkout/identity.ts';
import { leftBehind } from '../../checkout/pull/left-behind.ts';
import { packCheckout } from '../../checkout/send/parcel.ts';
import { rememberSent } from '../../checkout/send/sent.ts';
import { findSharedHistory, type NotShared, type SharedHistory } from '../../checkout/send/shared-history.ts';
import type { Cli } from '../../cli.ts';
import type { Api } from '../../server/api.ts';
import { uploadFile } from './upload.ts';

/** Everything about a job but where its files come from. The key makes sending it twice one job. */
export type JobWish = Omit<NewJob, 'repo'> & { readonly idempotencyKey: string };

export interface SourceWish {
  /** A URL, or a folder in a checkout. The checkout around the current folder when left out. */
  readonly repo: string | undefined;
  readonly ref: string | undefined;
  /** Send the checkout even when the worker could clone it. */
  readonly bundle: boolean;
}

type Repo = NewJob['repo'];

/** What became of the wishes, in their order. */
export interface SentJobs {
  readonly sent: readonly Job[];
  /** Why the rest was not sent; nothing is tried after a refusal. */
  readonly refused: HangarError | null;
}

/**
 * Sends jobs over one source: names repository and commit where the worker can clone them, else sends along what the remote lacks,
 * once for all of them. Throws when not even the first was sent.
 * @throws HangarError not_a_checkout, no_commits, git_refused, repo_url_invalid, server errors
 */
export async function sendJobs(cli: Cli, api: Api, wishes: readonly JobWish[], source: SourceWish): Promise<SentJobs> {
  const found = await findSource(cli, source);
  if (found.kind === 'url') return submitAll(cli, api, wishes, found.repo);
  const { checkout, remote } = found;
  const shared = source.bundle
    ? null
    : await findSharedHistory(checkout, remote, {
        ...checkout.git.around,
        hasCredential: wishes.some(({ credential }) => credential !== undefined),
      });
  if (typeof shared === 'string') sayWholeHistory(cli, shared);
  if (shared === null || typeof shared === 'string') return sendCheckout(cli, api, wishes, found, null);
  return sendCheckout(cli, api, wishes, found, shared).catch((error: unknown) => {
    if (!(error instanceof HangarError) || error.code !== 'repo_url_refused') throw error;
    cli.terminal.note('The server clones nothing from there: all of the history travels.');
    return sendCheckout(cli, api, wishes, found, null);
  });
}

function sayWholeHistory({ terminal }: Cli, why: NotShared): void {
  if (why === 'not public')
    terminal.note(
      'All of its history travels: the remote does not answer without a credential. Name one: --credential NAME',
    );
  if (why === 'nothing in common') terminal.note('All of its history travels: the remote is known to have none of it.');
}

async function sendCheckout(
  cli: Cli,
  api: Api,
  wishes: readonly JobWish[],
  { checkout, remote }: FoundCheckout,
  shared: SharedHistory | null,
): Promise<SentJobs> {
  const { terminal } = cli;
  const packing = terminal.progress('Packing the checkout');
  const parcel = await packCheckout(checkout, shared).finally(() => packing.done());
  try {
    for (const line of await leftBehind(checkout, parcel.state, parcel.leftOut)) terminal.warn(line);
    if (parcel.withoutHistory)
      terminal.note(
        'This clone is shallow: the files of HEAD travel without history. For all of it: git fetch --unshallow',
      );
    const bundle = await uploadFile(api, terminal, parcel.bundleFile, 'the checkout');
    const patch =
      parcel.patchFile === null ? undefined : await uploadFile(api, terminal, parcel.patchFile, 'uncommitted work');
    const root = await rootCommit(checkout);
    const repo: Repo = {
      ...(await called(checkout, remote)),
      ...(root === null ? {} : { root }),
      ...(shared === null ? {} : { url: shared.url }),
      commit: parcel.commit,
      bundle,
      ...(patch === undefined ? {} : { patch }),
    };
    const result = await submitAll(cli, api, wishes, repo);
    // The job is on its way: that it cannot be noted here takes nothing from it.
    for (const job of result.sent)
      await rememberSent(checkout, job.id, { commit: needHead(checkout), baseTree: parcel.baseTree }).catch(
        (error: Error) => terminal.warn(`What was sent could not be noted in the git folder: ${error.message}`),
      );
    return result;
  } finally {
    await parcel.dispose();
  }
}

/** What is said of a checkout however it travels. */
const called = async (checkout: Checkout, remote: Remote | null): Promise<Pick<Repo, 'name' | 'ref'>> => ({
  name: await nameOf(checkout, remote),
  // git takes names that a server may not.
  ...(checkout.branch === null || !GitRef.safeParse(checkout.branch).success ? {} : { ref: checkout.branch }),
});

async function submitAll(cli: Cli, api: Api, wishes: readonly JobWish[], repo: Repo): Promise<SentJobs> {
  const sent: Job[] = [];
  const progress = cli.terminal.progress('Sending the job');
  try {
    for (const wish of wishes) {
      if (wishes.length > 1) progress.update(`Sending job ${sent.length + 1} of ${wishes.length}`);
      sent.push(await api.client.jobs.create({ ...wish, repo }));
    }
    return { sent, refused: null };
  } catch (error) {
    if (sent.length === 0 || !(error instanceof HangarError)) throw error;
    return { sent, refused: error };
  } finally {
    progress.done();
  }
}

interface FoundCheckout {
  readonly kind: 'checkout';
  readonly checkout: Checkout;
  readonly remote: Remote | null;
}
type Found = { kind: 'url'; repo: Repo } | FoundCheckout;

async function findSource(cli: Cli, wish: SourceWish): Promise<Found> {
  const { terminal } = cli;
  if (wish.repo !== undefined && looksLikeUrl(wish.repo)) return byUrl(cli, wish.repo, wish);
  const checkout = await sourceCheckout(cli, wish.repo);
  const remote = await findRemote(checkout);
  if (wish.ref !== undefined) {
    // Another ref than what is checked out: the worker takes it from the remote.
    if (remote === null || remote.url === null)
      throw new HangarError('repo_required', {
        message: 'This checkout has no remote a worker can clone, so --ref cannot be fetched from it.',
        wayOut: `Check it out and leave --ref out: git switch ${wish.ref}`,
      });
    return { kind: 'url', repo: { url: remote.url, ref: wish.ref, name: await nameOf(checkout, remote) } };
  }
  const head = needHead(checkout);
  const state = await treeState(checkout);
  const uncommitted = state.changed.length + state.untracked.filter((path) => !path.endsWith('/')).length;
  const url = remote?.url ?? null;
  const pushed = remote !== null && url !== null && (await isOnRemote(checkout, remote.name, head));
  if (!wish.bundle && pushed && uncommitted === 0) {
    if (remote.hadPassword)
      terminal.warn(
        'The password in the URL of the remote was left out; keep it with: hangar cloud credentials add NAME',
      );
    const repositories = state.untracked.filter((path) => path.endsWith('/')).map((path) => path.slice(0, -1));
    for (const line of await leftBehind(checkout, state, { repositories, unreadable: [] })) terminal.warn(line);
    return { kind: 'url', repo: { url, commit: head, ...(await called(checkout, remote)) } };
  }
  const why = [
    wish.bundle ? '--bundle' : null,
    remote === null ? 'there is no remote' : url !== null ? null : 'the remote is not one a worker can reach',
    url !== null && !pushed ? 'commits are not pushed' : null,
    uncommitted > 0 ? `${plural(uncommitted, 'uncommitted file')}` : null,
  ].filter((reason) => reason !== null);
  terminal.note(`The checkout travels along: ${why.join(', ')}.`);
  return { kind: 'checkout', checkout, remote };
}

const looksLikeUrl = (text: string): boolean =>
  /^[a-z][a-z0-9+.-]*:\/\//i.test(text) || /^[\w.~-]+@[\w.-]+:/.test(text);

function byUrl({ terminal }: Cli, text: string, wish: SourceWish): Found {
  if (!RepoUrl.safeParse(text).success)
    throw new HangarError('repo_url_invalid', { message: `${JSON.stringify(text)} is not a URL Hangar can clone.` });
  const { url, hadPassword } = cloneable(text);
  if (hadPassword)
    terminal.warn('The password in the URL was left out; keep it with: hangar cloud credentials add NAME');
  return {
    kind: 'url',
    repo: {
      url: url ?? text,
      name: repoName(url ?? text, 'repository'),
      ...(wish.ref === undefined ? {} : { ref: wish.ref }),
    },
  };
}

async function sourceCheckout(cli: Cli, dir: string | undefined): Promise<Checkout> {
  if (dir === undefined) return needCheckout(await cli.checkout());
  const folder = resolve(cli.settings.cwd, dir);
  const checkout = await findCheckout(folder, { signal: cli.signal, env: cli.settings.env });
  if (checkout !== null) return checkout;
  throw new HangarError('not_a_checkout', {
    message: `${dir} is neither a URL nor a git checkout.`,
    wayOut: 'Give https://, ssh:// or git@host:path, or a folder with a checkout in it.',
  });
}

/** How a job travelled, in a few words. */
export const travelWords = (job: Job): string =>
  job.repo.fromCheckout ? 'sent from this checkout' : `from ${job.repo.url ?? job.repo.name}`;
