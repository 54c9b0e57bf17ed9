import { resolve } from 'node:path';
import { type Job, type NewJob, RepoUrl } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import {
  type Checkout,
  cloneable,
  findCheckout,
  findRemote,
  isOnRemote,
  needCheckout,
  needHead,
  repoName,
  treeState,
} from '../checkout/checkout.ts';
import { packCheckout, rememberSent } from '../checkout/parcel.ts';
import type { Cli } from '../cli.ts';
import type { Api } from '../server/api.ts';
import { count } from '../terminal/words.ts';
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
 * Sends jobs over one source: names repository and commit where the worker can clone them, else sends the checkout along, once
 * for all of them. Throws when not even the first was sent.
 * @throws HangarError not_a_checkout, no_commits, repo_url_invalid, server errors
 */
export async function sendJobs(cli: Cli, api: Api, wishes: readonly JobWish[], source: SourceWish): Promise<SentJobs> {
  const found = await findSource(cli, source);
  if (found.kind === 'url') return submitAll(cli, api, wishes, found.repo);
  const { checkout, name } = found;
  const packing = cli.terminal.progress('Packing the checkout');
  const parcel = await packCheckout(checkout).finally(() => packing.done());
  try {
    for (const path of parcel.leftOut) cli.terminal.warn(`${path} is a repository of its own and stays behind.`);
    if (parcel.withoutHistory)
      cli.terminal.note(
        'This clone is shallow: the files of HEAD travel without history. For all of it: git fetch --unshallow',
      );
    const bundle = await uploadFile(api, cli.terminal, parcel.bundleFile, 'the checkout');
    const patch =
      parcel.patchFile === null ? undefined : await uploadFile(api, cli.terminal, parcel.patchFile, 'uncommitted work');
    const repo: Repo = {
      commit: parcel.commit,
      bundle,
      name,
      ...(patch === undefined ? {} : { patch }),
      ...(checkout.branch === null ? {} : { ref: checkout.branch }),
    };
    const result = await submitAll(cli, api, wishes, repo);
    for (const job of result.sent)
      await rememberSent(checkout, job.id, { commit: needHead(checkout), baseTree: parcel.baseTree });
    return result;
  } finally {
    await parcel.dispose();
  }
}

async function submitAll(cli: Cli, api: Api, wishes: readonly JobWish[], repo: Repo): Promise<SentJobs> {
  const sent: Job[] = [];
  const progress = cli.terminal.progress('Sending the job');
  try {
    for (const wish of wishes) {
      if (wishes.length > 1) progress.update(`Sending job ${sent.length + 1} of ${wishes.length}`);
      // The key makes a second try of a request whose answer got lost the same job.
      sent.push(await api.client.jobs.create({ ...wish, repo }, { context: { repeatable: true } }));
    }
    return { sent, refused: null };
  } catch (error) {
    if (sent.length === 0 || !(error instanceof HangarError)) throw error;
    return { sent, refused: error };
  } finally {
    progress.done();
  }
}

type Found = { kind: 'url'; repo: Repo } | { kind: 'checkout'; checkout: Checkout; name: string };

async function findSource(cli: Cli, wish: SourceWish): Promise<Found> {
  const { terminal } = cli;
  if (wish.repo !== undefined && looksLikeUrl(wish.repo)) return byUrl(cli, wish.repo, wish);
  const checkout = await sourceCheckout(cli, wish.repo);
  const remote = await findRemote(checkout);
  const name = repoName(remote?.url ?? null, checkout.root);
  if (wish.ref !== undefined) {
    // Another ref than what is checked out: the worker takes it from the remote.
    if (remote === null || remote.url === null)
      throw new HangarError('repo_required', {
        message: 'This checkout has no remote a worker can clone, so --ref cannot be fetched from it.',
        wayOut: `Check it out and leave --ref out: git switch ${wish.ref}`,
      });
    return { kind: 'url', repo: { url: remote.url, ref: wish.ref, name } };
  }
  const head = needHead(checkout);
  const { changed, untracked } = await treeState(checkout);
  const uncommitted = changed.length + untracked.length;
  const reachable = remote?.url !== undefined && remote.url !== null;
  const pushed = reachable && (await isOnRemote(checkout, remote.name, head));
  if (!wish.bundle && pushed && uncommitted === 0) {
    if (remote.hadPassword)
      terminal.warn(
        'The password in the URL of the remote was left out; keep it with: hangar cloud credentials add NAME',
      );
    return {
      kind: 'url',
      repo: {
        url: remote.url ?? '',
        commit: head,
        name,
        ...(checkout.branch === null ? {} : { ref: checkout.branch }),
      },
    };
  }
  const why = [
    wish.bundle ? '--bundle' : null,
    remote === null ? 'there is no remote' : reachable ? null : 'the remote is not one a worker can reach',
    reachable && !pushed ? 'commits are not pushed' : null,
    uncommitted > 0 ? `${count(uncommitted, 'uncommitted file')}` : null,
  ].filter((reason) => reason !== null);
  terminal.note(`The checkout travels along: ${why.join(', ')}.`);
  return { kind: 'checkout', checkout, name };
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
  const checkout = await findCheckout(folder, { signal: cli.signal, env: cli.settings.env }).catch(() => null);
  if (checkout !== null) return checkout;
  throw new HangarError('not_a_checkout', {
    message: `${dir} is neither a URL nor a git checkout.`,
    wayOut: 'Give https://, ssh:// or git@host:path, or a folder with a checkout in it.',
  });
}

/** How a job travelled, in a few words. */
export const travelWords = (job: Job): string =>
  job.repo.fromCheckout ? 'sent from this checkout' : `from ${job.repo.url ?? job.repo.name}`;
