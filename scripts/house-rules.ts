import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { ERRORS } from '../packages/contract/src/errors.ts';
import { ROOT, run } from './run.ts';

interface SourceFile {
  readonly path: string;
  readonly text: string;
}

interface Rule {
  readonly says: string;
  /** Which files it looks at. */
  readonly at: RegExp;
  readonly not?: RegExp;
  readonly pattern: RegExp;
}

const SOURCE = /\.(ts|tsx|mjs|cjs|sh)$/;
const PRODUCT = /^(packages|apps)\/.*\.(ts|tsx|mjs)$/;
const TEST = /\.test\.tsx?$|\/testing\/|^tests\//;

/** Entries, tests, and source texts that are sent elsewhere to run there. */
const WHERE_READ = /\/src\/(main|config)\.ts$|\.test\.tsx?$|\/testing\/|\/brought\/(probe|start-script)\.ts$/;

/** Rules no other tool of `make check` knows. One line of text each; what needs syntax belongs to Biome. */
const RULES: readonly Rule[] = [
  {
    says: 'Only main.ts and config.ts read the environment; everything else gets what it needs passed in',
    at: /^(packages|apps)\/[^/]+\/src\/.*\.tsx?$/,
    not: WHERE_READ,
    pattern: /\bprocess\.env\b/,
  },
  {
    says: 'Only main.ts ends the process',
    at: /^(packages|apps)\/[^/]+\/src\/.*\.tsx?$/,
    not: WHERE_READ,
    pattern: /\bprocess\.exit\(/,
  },
  {
    says: 'What every noun stands on names none of them',
    at: /^apps\/server\/src\/(platform\/|foundation\.ts$)/,
    pattern: /job/i,
  },
  { says: 'Unfinished', at: SOURCE, not: /^scripts\/house-rules\.ts$/, pattern: /\b(TODO|FIXME|XXX|HACK)\b/ },
  {
    says: 'A command is a list of arguments, not a shell string',
    at: SOURCE,
    pattern: /\bshell: true\b|\bexec(Sync)?\(`/,
  },
  {
    says: 'Types are not given up',
    at: /\.tsx?$/,
    not: /^scripts\/house-rules\.ts$/,
    pattern: /\bas unknown as\b|\bas any\b|@ts-(ignore|expect-error|nocheck)/,
  },
  { says: 'A test that keeps others from running', at: TEST, pattern: /\b(it|test|describe)\.only\(/ },
  { says: 'The reader knows that it worked', at: PRODUCT, not: TEST, pattern: /['"`>][^'"`<]*\bsuccessfully\b/i },
];

const HIDING_NAMES = /(^|[-/.])(utils?|helpers?|common|misc|manager|service)([-/.]|$)/;

/** Looked at again from here on; half as long again is too long. */
const LONG_LINES = 300;
const TOO_LONG_LINES = 600;
/** One table with a row for each thing: length is what it is for. */
const TABLES = new Set(['packages/contract/src/error-table.ts']);

export async function houseRules(): Promise<{ passed: boolean; output: string }> {
  const files = await sources();
  const wrong = [
    ...RULES.flatMap((rule) => broken(rule, files)),
    ...files
      .filter(({ path: at }) => HIDING_NAMES.test(at))
      .map(({ path: at }) => `${at}: a name that hides what is inside`),
    ...unusedCodes(files),
    ...(await looseVersions(files)),
    ...registryHosts(await readFile(path.join(ROOT, 'package-lock.json'), 'utf8')),
  ];
  const lengths = files
    .filter(({ path: at }) => /\.tsx?$/.test(at) && !TEST.test(at) && !TABLES.has(at))
    .map(({ path: at, text }) => ({ at, lines: text.split('\n').length - 1 }))
    .sort((a, b) => b.lines - a.lines);
  const tooLong = lengths.filter(({ lines }) => lines > TOO_LONG_LINES).map(({ at, lines }) => `${at}: ${lines} lines`);
  const long = lengths.filter(({ lines }) => lines > LONG_LINES && lines <= TOO_LONG_LINES);
  const note =
    long.length === 0
      ? ''
      : `Long files, is each one concept? ${long.map(({ at, lines }) => `${at} (${lines})`).join(', ')}`;
  return { passed: wrong.length + tooLong.length === 0, output: [...wrong, ...tooLong, note].join('\n') };
}

async function sources(): Promise<SourceFile[]> {
  const listed = await run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    timeoutMs: 30_000,
  });
  const wanted = listed.output
    .split('\0')
    .filter((name) => (SOURCE.test(name) || name.endsWith('package.json')) && !name.includes('/dist/'));
  const read = wanted.map(async (name) => ({
    path: name,
    // A file removed and not yet committed as such.
    text: await readFile(path.join(ROOT, name), 'utf8').catch(() => null),
  }));
  return (await Promise.all(read)).flatMap(({ path: at, text }) => (text === null ? [] : [{ path: at, text }]));
}

function broken(rule: Rule, files: readonly SourceFile[]): string[] {
  return files
    .filter(({ path: at }) => rule.at.test(at) && !rule.not?.test(at))
    .flatMap(({ path: at, text }) =>
      text
        .split('\n')
        .flatMap((line, index) =>
          rule.pattern.test(line) ? [`${at}:${index + 1}: ${rule.says}: ${line.trim()}`] : [],
        ),
    );
}

/** The other direction, a thrown code that is not in the table, does not compile. */
function unusedCodes(files: readonly SourceFile[]): string[] {
  const product = files
    .filter(({ path: at }) => PRODUCT.test(at) && !TEST.test(at) && at !== 'packages/contract/src/error-table.ts')
    .map(({ text }) => text)
    .join('\n');
  const mentioned = new Set(product.match(/\b[a-z][a-z0-9]*(_[a-z0-9]+)*\b/g));
  return Object.keys(ERRORS)
    .filter((code) => !mentioned.has(code))
    .map((code) => `packages/contract/src/error-table.ts: nothing throws ${code}`);
}

async function looseVersions(files: readonly SourceFile[]): Promise<string[]> {
  return files
    .filter(({ path: at }) => at.endsWith('package.json'))
    .flatMap(({ path: at, text }) => {
      const { dependencies, devDependencies, optionalDependencies } = JSON.parse(text);
      return Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })
        .filter(([, version]) => !/^\d+\.\d+\.\d+/.test(String(version)))
        .map(([name, version]) => `${at}: ${name} is not pinned: ${version}`);
    });
}

function registryHosts(lockfile: string): string[] {
  const packages: Record<string, { resolved?: string }> = JSON.parse(lockfile).packages;
  return Object.entries(packages)
    .filter(([, { resolved }]) => resolved?.includes('://'))
    .map(([name]) => `package-lock.json: ${name} names a registry; the .npmrc of this checkout keeps them out`);
}
