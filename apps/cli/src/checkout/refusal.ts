import type { ErrorCode } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { shellWord } from '@hangar/contract/shell-words';

/** What keeps git from its work, told from its (English) words. */
export interface Cause {
  readonly code: ErrorCode;
  readonly message: string;
  readonly wayOut: string;
  readonly path?: string;
}

interface Rule {
  readonly says: RegExp;
  readonly cause: (match: RegExpExecArray, stderr: string) => Cause;
}

const DENIED = '(?:Permission denied|Read-only file system|Operation not permitted)';
const DOING = '(?:open|opening|read|access|create|write|stat|unlink|index file|directory|file)';

/** Each names what people can act on: the path, and what to do about it. The first that fits counts. */
const RULES: readonly Rule[] = [
  {
    says: /dubious ownership in repository at '([\s\S]+?)'(?:\n|$)/,
    cause: ([, path = '']) => ({
      code: 'checkout_not_trusted',
      message: `git does not trust ${path}: it belongs to another user.`,
      wayOut: `If you trust what is in it: git config --global --add safe.directory ${shellWord(path)}`,
      path,
    }),
  },
  {
    says: /Unable to create '([\s\S]+?\.lock)': File exists/,
    cause: ([, path = '']) => ({
      code: 'git_busy',
      message: `Another git command is at work in this repository: it holds ${path}`,
      wayOut: `Wait for it to end; if none runs, remove ${path}`,
      path,
    }),
  },
  {
    says: /No space left on device|Disk quota exceeded/i,
    cause: () => ({
      code: 'disk_full',
      message: 'There is no space left on the disk of this machine.',
      wayOut: 'Free some space, then try again.',
    }),
  },
  {
    // In these words git does not say why.
    says: /unable to write (?:new.)?(?:index )?file(?: ([^\n]+))?$|unable to write (?:index\.|temporary index file|temp-file)|write error/im,
    cause: ([, path]) => ({
      code: 'disk_full',
      message: `git could not write ${path ?? 'a file'}: the disk of this machine is full, or does not work.`,
      wayOut: 'Free some space (df says where there is none), then try again.',
      ...(path === undefined ? {} : { path }),
    }),
  },
  {
    says: /insufficient permission for adding an object to repository database (.+?)(?:\n|$)/,
    cause: ([, path = '']) => ({
      code: 'file_unreadable',
      message: `git may not write into ${path}`,
      wayOut: 'Make the git folder writable for you, or clone it once more.',
      path,
    }),
  },
  {
    says: new RegExp(
      `${DOING} ?\\(?(['"])([\\s\\S]+?)\\1\\)?[^\\n'"]*: ${DENIED}|${DOING} ([^'"\\n]+): ${DENIED}`,
      'i',
    ),
    cause: ([, , one, other = '']) => {
      const path = one ?? other;
      return {
        code: 'file_unreadable',
        message: `git may not read or write ${path}`,
        wayOut: 'Give yourself the right to it (chmod u+rw), or move it away.',
        path,
      };
    },
  },
  {
    says: /'([\s\S]+?)\/?' does not have a commit checked out/,
    cause: ([, path = '']) => ({
      code: 'git_refused',
      message: `${path} is a repository of its own without a commit, and git cannot look into it.`,
      wayOut: 'Make a commit in it, list it in .git/info/exclude, or move it away.',
      path,
    }),
  },
  {
    says: /(?:fatal|error): (?:([\s\S]+?): )?(?:clean|smudge) filter '(.+?)' failed|external filter '(.+?)' failed/,
    cause: ([, path, filter, command]) => ({
      code: 'git_refused',
      message: `git could not prepare ${path ?? 'a file'}: its filter ${filter ?? command} failed.`,
      wayOut: 'Install the program of the filter that .gitattributes names, or commit without that file.',
      ...(path === undefined ? {} : { path }),
    }),
  },
  {
    says: /bad (?:numeric |boolean )?config (?:line|value|file line)|bogus (?:count|config parameter|format in GIT_CONFIG)|unable to parse .*config|bad config variable|(?:missing|invalid) config (?:key|value)|missing environment variable 'GIT_CONFIG/,
    cause: (_, stderr) => ({
      code: 'git_refused',
      message: `git does not understand its own settings: ${lastWords(stderr)}`,
      wayOut:
        'Correct that setting: git config --list --show-origin shows where each comes from, env | grep GIT_ the rest.',
    }),
  },
  {
    says: /unknown repository extension|Expected git repo version/,
    cause: (_, stderr) => ({
      code: 'git_refused',
      message: `This git is too old for the repository: ${lastWords(stderr)}`,
      wayOut: 'Install a newer git.',
    }),
  },
  {
    says: /index file (?:corrupt|smaller than expected)|bad (?:index file )?(?:sha1 )?signature|bad index (?:version|file)/,
    cause: () => ({
      code: 'git_refused',
      message: 'The index of this checkout is damaged.',
      wayOut: 'Make it anew; no file is touched: rm .git/index && git reset',
    }),
  },
  {
    says: /could not fetch .* from promisor remote|unable to read (?:sha1 file|tree|object)|(?:bad|missing|corrupt|loose) (?:object|tree|blob|commit)|object file .* is empty|unresolved deltas|Could not read [0-9a-f]{40}/i,
    cause: (_, stderr) => ({
      code: 'git_refused',
      message: `The repository lacks objects: ${lastWords(stderr)}`,
      wayOut: 'git fsck shows which; git fetch --refetch gets them from the remote again.',
    }),
  },
];

/** What keeps git from working although nothing is wrong with what it was asked; null when its words say nothing of the kind. */
export function causeOf(stderr: string): Cause | null {
  for (const { says, cause } of RULES) {
    const match = says.exec(stderr);
    if (match !== null) return cause(match, stderr);
  }
  return null;
}

/** What git was kept from by the machine, whatever it was asked; null when it was not. */
export function troubleOf(
  stderr: string,
  codes: readonly ErrorCode[] = ['disk_full', 'file_unreadable'],
): HangarError | null {
  const cause = causeOf(stderr);
  if (cause === null || !codes.includes(cause.code)) return null;
  const { code, message, wayOut, path } = cause;
  return new HangarError(code, {
    message,
    wayOut,
    details: path === undefined ? { reason: lastWords(stderr) } : { path },
  });
}

/** Git refused. It says what is in the way and what to do about it, as far as that can be told from its words. Never a bug of ours. */
export class GitFailed extends HangarError {
  readonly stderr: string;
  constructor(args: readonly string[], result: { readonly code: number; readonly stderr: string }, dir: string) {
    const { code, stderr } = result;
    const cause = isNoRepository(stderr) ? null : causeOf(stderr);
    const said = errorLines(stderr);
    const command = args.find((arg) => !arg.startsWith('-')) ?? '';
    const otherwise = `git ${command} refused: ${lastWords(stderr) || `it ended with ${code} and gave no reason`}`;
    super(isNoRepository(stderr) ? 'not_a_checkout' : (cause?.code ?? 'git_refused'), {
      message: cause?.message ?? otherwise,
      wayOut: cause?.wayOut ?? `Put right what git says there; git status in ${dir} may say more.`,
      details: {
        ...(cause?.path === undefined ? {} : { path: cause.path }),
        ...(said.length > 1 ? { files: said } : said.length > 0 ? { reason: said[0] } : {}),
      },
    });
    this.name = 'GitFailed';
    this.stderr = stderr;
  }
}

export const isNoRepository = (stderr: string): boolean => /^fatal: not a git repository/m.test(stderr);

/** The last thing git said that is no advice, without its prefix. */
export const lastWords = (stderr: string): string =>
  stderr
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^hint:/.test(line))
    .at(-1)
    ?.replace(/^(error|fatal|warning): /, '') ?? '';

/** All errors git named, each once. */
export const errorLines = (stderr: string): string[] => [
  ...new Set(
    stderr
      .split('\n')
      .filter((line) => /^(error|fatal): /.test(line))
      .map((line) => line.replace(/^(error|fatal): /, '')),
  ),
];

/** What git said, with names that hold a line end written out, so that a line of it stays one. */
export const inLines = (stderr: string, paths: readonly string[]): string =>
  paths
    .filter((path) => path.includes('\n'))
    .reduce((text, path) => text.replaceAll(path, path.replaceAll('\n', '\\n')), stderr);
