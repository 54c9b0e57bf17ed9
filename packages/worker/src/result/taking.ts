import { createHash } from 'node:crypto';
import { rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentGit, Reading } from '../agent/agent-git.ts';
import type { GitCall } from '../git/git.ts';
import { onDisk } from '../git/paths.ts';
import type { Notes } from './notes.ts';
import type { Recorded } from './recorded.ts';

export const MAX_DEPTH = 5;
export const COLLECT_MS = 15 * 60_000;

export interface Taking extends Reading {
  /** A file of gitignore patterns besides those of the tree. */
  readonly excludesFile: string;
  readonly notes: Notes;
  /** Also looks for what the diff cannot hold, to say so. */
  readonly thorough: boolean;
}

export interface Place {
  readonly tree: string;
  /** Private index outside the work tree; kept between calls, so that only changed files are read again. */
  readonly index: string;
  /** Tree the agent began with. */
  readonly base: string;
  /** Of the paths of a repository inside another: empty, or ends with a slash. */
  readonly prefix: string;
  readonly depth: number;
  /** Has objects of the base that our repository lacks. */
  readonly lender?: AgentGit;
}

/** What is known of a work tree while it is taken. */
export interface Work {
  readonly o: Taking;
  readonly place: Place;
  readonly call: GitCall;
  readonly found: AgentGit | null;
  readonly recorded: Recorded;
  readonly takeInside: TakeWorkTree;
}

/** Writes what the agent made as a tree: what is inside a repository inside is taken in the same way. */
export type TakeWorkTree = (o: Taking, place: Place) => Promise<string>;

/** A private index for a repository inside, the same at every call. */
export const indexOf = ({ index }: Place, path: string): string =>
  `${index}-${createHash('sha1').update(onDisk(path)).digest('hex').slice(0, 16)}`;

/** A folder of the work tree as git takes it: a name whose bytes are no text is led to by a link. */
export async function folderOf(place: Place, path: string): Promise<string> {
  if (path.isWellFormed()) return join(place.tree, path);
  const link = `${indexOf(place, path)}-folder`;
  await rm(link, { force: true });
  await symlink(onDisk(place.tree, path), link);
  return link;
}

/** Git knows it without having it. */
export const emptyTree = (like: string): string =>
  like.length === 64
    ? '6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321'
    : '4b825dc642cb6eb9a060e54bf8d69288fbee4904';
