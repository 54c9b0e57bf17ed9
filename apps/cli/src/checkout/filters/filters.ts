import { copyFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HangarError } from '@hangar/contract/errors';
import { showPath } from '@hangar/contract/path-bytes';
import type { Checkout } from '../checkout.ts';
import { errorLines, inLines, joinNull, lastWords, splitNull, troubleOf } from '../git.ts';
import { configValue, type Ground } from '../ground.ts';
import { type Change, type Conflict, changesIn, indexInfo, unchangedIn } from '../pull/changes.ts';
import { copyIndex, onDisk } from '../pull/snapshot.ts';

/** A filter as the person has set it up here. */
interface Driver {
  readonly clean: string | undefined;
  readonly smudge: string | undefined;
  readonly process: string | undefined;
}

interface Filtered {
  readonly changes: readonly Change[];
  readonly conflicts: readonly Conflict[];
  /** Those that go through a filter of the person's on their way into the work tree, too. */
  readonly filtered: readonly string[];
}

/**
 * Turns what a job left in its files into what `git add` would store here: line ends, `ident` and the clean filters that the person's own
 * configuration names. The job had no such filters: it saw contents as they are stored, and what it wrote is as it wrote it.
 * The index of the ground is left with the result.
 * @throws HangarError filter_blocks when that cannot be done, or not without a guess
 */
export async function throughFilters(
  checkout: Checkout,
  ground: Ground,
  from: string,
  changes: readonly Change[],
  conflicts: readonly Conflict[],
): Promise<Filtered> {
  const inConflict = new Set(conflicts.map(({ path }) => path));
  // Of a conflict it is their side that comes from the job.
  const theirs = unchangedIn(conflicts).map((ours) => {
    const entry = conflicts.find(({ path }) => path === ours.path)?.stages.find(({ stage }) => stage === 3);
    return { ...ours, after: entry ?? null };
  });
  const files = [...changes.filter(({ path }) => !inConflict.has(path)), ...theirs].filter(({ after }) =>
    after?.mode.startsWith('100'),
  );
  if (files.length === 0) return { changes, conflicts, filtered: [] };
  await ground.useAttributes('');
  const paths = files.map(({ path }) => path);
  const [{ filterOf, isPlain }, { drivers, autocrlf }] = await Promise.all([
    attributesOf(ground, paths),
    settingsOf(checkout),
  ]);
  if (isPlain && !autocrlf) return { changes, conflicts, filtered: [] };
  const asStored = new Set<string>();
  if (filterOf.size > 0) {
    for (const name of new Set(filterOf.values())) refuseOwnProgram(checkout, name, drivers.get(name), changes);
    for (const path of await storedAlready(ground, from, files, filterOf, drivers)) asStored.add(path);
    await ground.configure(
      [...new Set(filterOf.values())].map((name) => section(checkout.root, name, drivers.get(name))).join('\n'),
    );
  }

  // The files are text as it is stored already: of all conversions, only this one could not be done again.
  await ground.useAttributes('* -working-tree-encoding');
  const again = files.filter(({ path }) => !asStored.has(path) && !inConflict.has(path)).map(({ path }) => path);
  const { git, env } = ground;
  await copyIndex(ground.before, ground.index);
  const added = new Set(again.filter((path) => !/(^|\/)\.gitattributes$/.test(path)));
  await git.read(['update-index', '-z', '--index-info'], {
    env,
    input: indexInfo(
      changes.filter(({ path }) => !added.has(path)),
      idLength(changes),
    ),
  });
  const result = await git.attempt(['update-index', '--add', '--replace', '-z', '--stdin'], {
    env,
    input: joinNull(again),
  });
  if (result.code !== 0) {
    const trouble = troubleOf(result.stderr, ['disk_full']);
    if (trouble !== null) throw trouble;
    const said = inLines(result.stderr.replaceAll(startedIn(checkout.root), ''), again);
    const reason = errorLines(said);
    throw new HangarError('filter_blocks', {
      message: 'A filter of this checkout does not take what the job made.',
      details: { files: reason.length > 0 ? reason : [lastWords(said)] },
    });
  }
  const clean = await changesIn(ground, from);
  await refuseGuesses(ground, filterOf, asStored, files, clean, inConflict);
  const filtered = [...filterOf.keys()];
  return { changes: clean, conflicts: await cleanTheirs(ground, filterOf, asStored, conflicts), filtered };
}

const idLength = (changes: readonly Change[]): number => {
  const [first] = changes;
  return (first?.after ?? first?.before)?.oid.length ?? 40;
};

/**
 * Files that go in as they are: they were stored like this before, say of themselves that they are stored form, or the person has set up
 * only the way out of the repository. @throws HangarError filter_blocks for a filter that is not set up
 */
async function storedAlready(
  ground: Ground,
  from: string,
  files: readonly Change[],
  filterOf: ReadonlyMap<string, string>,
  drivers: ReadonlyMap<string, Driver>,
): Promise<string[]> {
  const known = new Set(await idsOf(ground, from));
  const found: string[] = [];
  for (const { path, after } of files) {
    const name = filterOf.get(path);
    if (name === undefined || after === null) continue;
    const driver = drivers.get(name);
    if (!known.has(after.oid)) {
      if (driver?.clean !== undefined || driver?.process !== undefined) continue;
      if (driver?.smudge === undefined && !(await isStoredForm(ground, after.oid)))
        throw blocked([path], `The filter ${name} of ${showPath(path)} is not set up in this checkout.`, name);
    }
    found.push(path);
  }
  return found;
}

const NONE = ['unspecified', 'unset', 'set', ''];

/** The filter of each path that has one, and whether nothing at all is to be converted. */
async function attributesOf({ git, env }: Ground, paths: readonly string[]) {
  const names = ['filter', 'text', 'crlf', 'eol', 'ident'];
  const out = splitNull(
    await git.bytes(['check-attr', '--cached', '-z', '--stdin', ...names], { env, input: joinNull(paths) }),
  );
  const filterOf = new Map<string, string>();
  let isPlain = true;
  for (let at = 0; at + 2 < out.length; at += 3) {
    const [path = '', name, value = ''] = out.slice(at, at + 3);
    if (name === 'filter' && !NONE.includes(value)) filterOf.set(path, value);
    if (name === 'filter' ? filterOf.has(path) : !['unspecified', 'unset'].includes(value)) isPlain = false;
  }
  return { filterOf, isPlain };
}

/** What the person's own configuration says about conversions. */
async function settingsOf({ git }: Checkout): Promise<{ drivers: Map<string, Driver>; autocrlf: boolean }> {
  const wanted = '^(core\\.autocrlf|filter\\..*\\.(clean|smudge|process))$';
  const listed = await git.attempt(['config', '-z', '--get-regexp', wanted]);
  const drivers = new Map<string, Driver>();
  let autocrlf = false;
  for (const entry of splitNull(listed.stdout)) {
    const at = entry.indexOf('\n');
    const [key, value] = at < 0 ? [entry, 'true'] : [entry.slice(0, at), entry.slice(at + 1)];
    if (key === 'core.autocrlf') autocrlf = !/^(false|no|off|0)?$/i.test(value);
    const [, name, kind] = /^filter\.([\s\S]*)\.(clean|smudge|process)$/.exec(key) ?? [];
    if (name === undefined || kind === undefined || value === '') continue;
    const none: Driver = { clean: undefined, smudge: undefined, process: undefined };
    drivers.set(name, { ...(drivers.get(name) ?? none), [kind]: value });
  }
  return { drivers, autocrlf };
}

export const startedIn = (root: string): string =>
  `cd '${root.replaceAll("'", "'\\''")}' && unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY && `;

/** The filter, started where git would start it in the checkout; that it fails must not pass for "nothing to do". */
function section(root: string, name: string, driver: Driver | undefined): string {
  const commands = commandsOf(root, name, driver, ['clean', 'process']);
  return commands.length === 0 ? '' : [...commands, '\trequired = true'].join('\n');
}

/** Settings that let the person's filters write files of another work tree: started in the checkout, and required only where they are. */
export async function smudgeSections(checkout: Checkout): Promise<string> {
  const { drivers } = await settingsOf(checkout);
  return `${[...drivers]
    .flatMap(([name, driver]) => commandsOf(checkout.root, name, driver, ['smudge', 'process']))
    .join('\n')}\n`;
}

function commandsOf(
  root: string,
  name: string,
  driver: Driver | undefined,
  kinds: readonly (keyof Driver)[],
): string[] {
  const there = startedIn(root).replaceAll('%', '%%');
  const commands = kinds.flatMap((kind) => {
    const command = driver?.[kind];
    return command === undefined ? [] : [`\t${kind} = ${configValue(there + command)}`];
  });
  return commands.length === 0 ? [] : [`[filter "${name.replaceAll(/[\\"]/g, '\\$&')}"]`, ...commands];
}

/** A filter that is a file of the repository, changed by the same diff, would be the job's program on this machine. */
function refuseOwnProgram({ root }: Checkout, name: string, driver: Driver | undefined, changes: readonly Change[]) {
  const words = new Set(
    [driver?.clean, driver?.smudge, driver?.process]
      .flatMap((command) => command?.split(/[\s"';&|()<>]+/) ?? [])
      .map((word) => word.replace(/^\.\//, '').replace(`${root}/`, '')),
  );
  const own = changes.filter(({ path }) => words.has(path)).map(({ path }) => path);
  if (own.length > 0)
    throw new HangarError('filter_blocks', {
      message: `The diff changes ${own.map(showPath).join(', ')}, which the filter ${name} of this checkout runs, and files that go through it.`,
      wayOut: 'Look at it first: hangar pull ID --output FILE, or take it as a branch elsewhere.',
      details: { files: own.map(showPath) },
    });
}

/** What git-lfs and git-crypt store says what it is. */
async function isStoredForm({ git, env }: Ground, oid: string): Promise<boolean> {
  const content = await git.bytes(['cat-file', 'blob', oid], { env });
  const start = content.subarray(0, 200).toString('latin1');
  return (
    content.length === 0 ||
    /^version https:\/\/(git-lfs\.github\.com|hawser\.github\.com)\/spec\/v1\n/.test(start) ||
    start.startsWith('\0GITCRYPT\0')
  );
}

const idsOf = async ({ git, env }: Ground, from: string): Promise<string[]> =>
  splitNull(await git.bytes(['ls-tree', '-r', '-z', from], { env })).map((line) => line.split(/[ \t]/)[2] ?? '');

/**
 * A filter that changes what it has changed before (it encrypts) tells nobody whether a job edited the text or the cipher it was shown:
 * new files are surely text, changed ones are not taken.
 */
async function refuseGuesses(
  ground: Ground,
  filterOf: ReadonlyMap<string, string>,
  asStored: ReadonlySet<string>,
  raw: readonly Change[],
  clean: readonly Change[],
  inConflict: ReadonlySet<string>,
): Promise<void> {
  const stored = new Map(clean.map(({ path, after }) => [path, after]));
  const repeats = new Map<string, boolean>();
  for (const { path, before, after } of raw) {
    const name = filterOf.get(path);
    if (name === undefined || before === null || after === null || asStored.has(path)) continue;
    if (repeats.get(name) === true) continue;
    const sample = inConflict.has(path) ? await addAs(ground, path, after.oid) : (stored.get(path) ?? before).oid;
    // Of nothing every filter makes nothing.
    if (EMPTY.has(sample)) continue;
    repeats.set(name, (await addAs(ground, path, sample)) === sample);
    if (!repeats.get(name))
      throw new HangarError('filter_blocks', {
        message: `The job changed ${showPath(path)}, of which it could only see what the filter ${name} makes of it.`,
        details: { files: [showPath(path)] },
      });
  }
}

const EMPTY = new Set([
  'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391',
  '473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813',
]);

/** What a blob becomes when it is added as this file. Its entry goes first: git trusts one that looks as young as the file. */
async function addAs(ground: Ground, path: string, oid: string): Promise<string> {
  const { git, env, tree } = ground;
  const index = join(ground.dir, 'again-index');
  await copyFile(ground.index, index);
  const here = { env: { ...env, GIT_INDEX_FILE: index } };
  await unlink(onDisk(tree, path));
  await writeFile(onDisk(tree, path), await git.bytes(['cat-file', 'blob', oid], here));
  const input = joinNull([path]);
  await git.read(['update-index', '--force-remove', '-z', '--stdin'], { ...here, input });
  await git.read(['update-index', '--add', '-z', '--stdin'], { ...here, input });
  const line = splitNull(await git.bytes(['ls-files', '--stage', '-z'], here)).find((one) => one.endsWith(`\t${path}`));
  return line?.split(' ')[1] ?? '';
}

async function cleanTheirs(
  ground: Ground,
  filterOf: ReadonlyMap<string, string>,
  asStored: ReadonlySet<string>,
  conflicts: readonly Conflict[],
): Promise<Conflict[]> {
  const clean: Conflict[] = [];
  for (const { path, stages } of conflicts) {
    const mine = filterOf.has(path) && !asStored.has(path);
    const theirs = stages.find(({ stage }) => stage === 3);
    const oid = mine && theirs !== undefined ? await addAs(ground, path, theirs.oid) : null;
    clean.push({ path, stages: stages.map((one) => (one.stage === 3 && oid !== null ? { ...one, oid } : one)) });
  }
  return clean;
}

function blocked(files: readonly string[], message: string, name: string): HangarError {
  return new HangarError('filter_blocks', {
    message,
    wayOut: `Set it up (for git-lfs: git lfs install; for git-crypt: git-crypt unlock). If its files may be stored as they are: git config filter.${name}.clean cat`,
    details: { files: files.map(showPath) },
  });
}
