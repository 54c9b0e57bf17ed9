import { HangarError } from '@hangar/contract/errors';

/** A git that ended badly, and what it said (in English). */
export interface Refused {
  /** The command, without its options. */
  readonly command: string;
  readonly code: number;
  readonly stderr: string;
  /** Where it ran. */
  readonly dir: string;
}

interface Rule {
  readonly says: RegExp;
  readonly error: (match: RegExpExecArray, refused: Refused) => HangarError;
}

/** Each names what people can act on: the path, and what to do about it. The first that fits counts. */
const RULES: readonly Rule[] = [
  {
    says: /dubious ownership in repository at '([\s\S]+?)'(?:\n|$)/,
    error: ([, dir = '']) =>
      new HangarError('checkout_not_trusted', {
        message: `git does not trust ${dir}: it belongs to another user.`,
        wayOut: `If you trust what is in it: git config --global --add safe.directory ${quoted(dir)}`,
        details: { path: dir },
      }),
  },
  {
    says: /(?:Unable to create|cannot lock ref .*: Unable to create) '([\s\S]+?\.lock)': File exists/,
    error: ([, lock = '']) =>
      new HangarError('checkout_busy', {
        message: `Another git command is at work in this checkout: it holds ${lock}.`,
        wayOut: `Wait for it to end; if none runs, remove ${lock}.`,
        details: { path: lock },
      }),
  },
  {
    says: /No space left on device|Disk quota exceeded/i,
    error: (_, { dir }) =>
      new HangarError('disk_full', {
        message: 'There is no space left on the disk of this machine.',
        wayOut: `Free space where ${dir} lies, and in the folder for temporary files.`,
      }),
  },
  {
    says: /insufficient permission for adding an object to repository database (.+?)\n/,
    error: ([, objects = ''], refused) =>
      unable(refused, {
        message: `git may not write into ${objects}.`,
        wayOut: 'Make the git folder writable for you, or clone it once more.',
        path: objects,
      }),
  },
  {
    says: /(?:could not open '|open\("|unable to (?:open|read|access|create|write|stat|index file) (?:file )?'?)([\s\S]+?)(?:'|"\))?: (Permission denied|Read-only file system)/i,
    error: ([, path = '', why = ''], refused) =>
      unable(refused, {
        message: `git cannot get at ${path}: ${why.toLowerCase()}.`,
        wayOut: `Let yourself read and write it: ls -l ${quoted(path)}`,
        path,
      }),
  },
  {
    says: /(?:fatal|error): (?:([\s\S]+?): )?(?:clean|smudge) filter '(.+?)' failed|external filter '(.+?)' failed/,
    error: ([, path, filter, command], refused) =>
      unable(refused, {
        message: `git could not prepare ${path ?? 'a file'}: its filter ${filter ?? command} failed.`,
        wayOut: 'Install the program of the filter that .gitattributes names, or commit without that file.',
        ...(path === undefined ? {} : { path }),
      }),
  },
  {
    says: /bad (?:numeric |boolean )?config (?:line|value|file line)|bogus (?:count|config parameter|format in GIT_CONFIG)|unable to parse .*config|bad config variable|(?:missing|invalid) config (?:key|value)|missing environment variable 'GIT_CONFIG/,
    error: (_, refused) =>
      unable(refused, {
        message: `git does not understand its own settings: ${lastWords(refused.stderr)}`,
        wayOut:
          'Correct that setting: git config --list --show-origin shows where each comes from, env | grep GIT_ the rest.',
      }),
  },
  {
    says: /unknown repository extension|Expected git repo version/,
    error: (_, refused) =>
      unable(refused, {
        message: `This git is too old for the repository: ${lastWords(refused.stderr)}`,
        wayOut: 'Install a newer git.',
      }),
  },
  {
    says: /index file (?:corrupt|smaller than expected)|bad (?:index file )?(?:sha1 )?signature|bad index (?:version|file)/,
    error: (_, refused) =>
      unable(refused, {
        message: 'The index of this checkout is damaged.',
        wayOut: 'Make it anew; no file is touched: rm .git/index && git reset',
      }),
  },
  {
    says: /could not fetch .* from promisor remote|unable to read (?:sha1 file|tree|object)|(?:bad|missing|corrupt|loose) (?:object|tree|blob|commit)|object file .* is empty|unresolved deltas|Could not read [0-9a-f]{40}/i,
    error: (_, refused) =>
      unable(refused, {
        message: `The repository lacks objects: ${lastWords(refused.stderr)}`,
        wayOut: 'git fsck shows which; git fetch --refetch gets them from the remote again.',
      }),
  },
];

/**
 * What git refused, as an error people can act on. Never a bug of ours to report: git itself says why.
 * A path that is not there for git at all is `not_a_checkout`.
 */
export function refusal(refused: Refused): HangarError {
  const { stderr } = refused;
  if (isNoRepository(stderr)) return new HangarError('not_a_checkout');
  for (const { says, error } of RULES) {
    const match = says.exec(stderr);
    if (match !== null) return error(match, refused);
  }
  return unable(refused, {});
}

export const isNoRepository = (stderr: string): boolean => /^fatal: not a git repository/m.test(stderr);

function unable(
  { command, code, stderr, dir }: Refused,
  o: { readonly message?: string; readonly wayOut?: string; readonly path?: string },
): HangarError {
  const lines = complaints(stderr);
  return new HangarError('git_refused', {
    message: o.message ?? `git ${command} refused: ${lastWords(stderr) || `it ended with ${code} and gave no reason`}`,
    wayOut: o.wayOut ?? `Put right what git says there; git status in ${dir} may say more.`,
    details: {
      ...(o.path === undefined ? {} : { path: o.path }),
      ...(lines.length > 1 || o.message !== undefined ? { reason: lines.slice(0, 10).join('\n  ') } : {}),
    },
  });
}

/** The last thing git said that is no advice, without its prefix. */
function lastWords(stderr: string): string {
  return complaints(stderr).at(-1) ?? '';
}

const complaints = (stderr: string): string[] =>
  stderr
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^(hint|warning): ?/.test(line))
    .map((line) => line.replace(/^(error|fatal): /, ''));

/** As a shell takes it. */
const quoted = (path: string): string => (/^[\w./@%+=:,-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`);
