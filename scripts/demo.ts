import { spawn } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DATA_DIR, DEMO_DIR, demoEnvironment, findServer, HANGAR, startServer, stopServer } from './demo-server.ts';
import { ROOT } from './run.ts';

const CLONE = path.join(DEMO_DIR, 'clone');
const SPEC_FILE = path.join(DEMO_DIR, 'add-a-code-map.md');
const STEP_MS = 120_000;

/** Real work on a real repository: what it writes follows from what the clone holds. */
const SPEC = `---
title: Add a code map
agent: shell
timeout: 5m
---

# Add a code map

A newcomer should see at a glance where the code is. Write docs/code-map.md: each folder with its files, lines and tests,
largest first. Link it from the README.

\`\`\`sh
set -eu
mkdir -p docs
git ls-files | grep -E '\\.(ts|tsx|mjs|cjs|css|sh|sql)$' >sources.list
echo "Counting $(wc -l <sources.list) files"

while read -r file; do
  folder=$(dirname "$file" | cut -d/ -f1-4)
  case $file in *.test.*) tests=1 ;; *) tests=0 ;; esac
  echo "$folder $(wc -l <"$file") $tests"
done <sources.list |
  awk '{ files[$1]++; lines[$1] += $2; tests[$1] += $3; sum += $2 }
       END { for (f in files) printf "%d|%s|%d|%d|%.1f\\n", lines[f], f, files[f], tests[f], 100 * lines[f] / sum }' |
  sort -t'|' -k1,1nr >folders.list

{
  echo '# Code map'
  echo
  echo "Commit $(git rev-parse --short HEAD), counted $(date -u '+%Y-%m-%d %H:%M:%S') UTC."
  echo
  echo '| folder | files | lines | of all | test files |'
  echo '|---|---:|---:|---:|---:|'
  while IFS='|' read -r lines folder files tests share; do
    echo "| $folder | $files | $lines | $share % | $tests |"
    echo "$folder: $lines lines" >&2
  done <folders.list
} >docs/code-map.md

printf '\\nWhere the code is: [docs/code-map.md](docs/code-map.md).\\n' >>README.md
rm sources.list folders.list
echo "Wrote docs/code-map.md, $(wc -l <docs/code-map.md) lines"
\`\`\`
`;

function heading(text: string): void {
  console.log(`\n== ${text}\n`);
}

interface Typed {
  readonly env?: Record<string, string>;
  readonly input?: string;
  /** Answers what it prints on stdout. Left alone, stdout and stderr keep their order and their colours. */
  readonly keep?: boolean;
  readonly hide?: boolean;
  readonly mayFail?: boolean;
}

/** Runs a command as a person would type it, and shows it and what it prints. */
async function type(words: readonly string[], o: Typed = {}): Promise<string> {
  const [program = '', ...args] = words;
  if (!o.hide) console.log(`$ ${[path.basename(program), ...args].join(' ')}`);
  const out: Buffer[] = [];
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: CLONE,
      env: o.env ?? demoEnvironment({}),
      stdio: ['pipe', o.keep || o.hide ? 'pipe' : 'inherit', o.hide ? 'ignore' : 'inherit'],
      signal: AbortSignal.timeout(STEP_MS),
    });
    child.stdout?.on('data', (chunk: Buffer) => {
      out.push(chunk);
      if (!o.hide) process.stdout.write(chunk);
    });
    child.stdin?.on('error', () => undefined).end(o.input ?? '');
    child.once('error', reject).once('close', resolve);
  });
  if (exitCode !== 0 && !o.mayFail) throw new Error(`${args.join(' ')} ended with ${exitCode ?? 'a signal'}`);
  return exitCode === 0 ? Buffer.concat(out).toString() : '';
}

async function story(): Promise<void> {
  const began = performance.now();
  await mkdir(CLONE, { recursive: true, mode: 0o700 });

  heading('A server');
  const left = await findServer();
  const server = left ?? (await startServer());
  console.log(
    left ? `The server of the last demo answers at ${server.url}` : `Started at ${server.url}, data in ${DATA_DIR}`,
  );
  const env = demoEnvironment({
    HANGAR_CONFIG_DIR: path.join(DEMO_DIR, 'config'),
    HANGAR_SERVER: server.url,
    HANGAR_DATA_DIR: DATA_DIR,
  });

  heading('Signed in on the command line');
  if ((await type([HANGAR, 'cloud', 'whoami', '--json'], { env, hide: true, mayFail: true })) === '') {
    const key = await type([HANGAR, 'server', 'admin-key'], { env, hide: true });
    console.log('$ hangar server admin-key | hangar cloud login --with-token');
    await type([HANGAR, 'cloud', 'login', '--with-token', '--storage', 'file'], { env, input: key, hide: true });
  }
  await type([HANGAR, 'cloud', 'whoami'], { env });

  heading('A repository and a spec');
  await rm(CLONE, { recursive: true, force: true });
  await mkdir(CLONE);
  await type(['git', 'clone', '--quiet', ROOT, '.']);
  await writeFile(SPEC_FILE, SPEC);
  console.log(`$ cat ${path.relative(CLONE, SPEC_FILE)}\n${SPEC}`);

  heading('The job');
  const id = (
    await type([HANGAR, 'run', '--cloud', '--spec', path.relative(CLONE, SPEC_FILE)], { env, keep: true })
  ).trim();
  console.log();
  await type([HANGAR, 'logs', id, '--follow'], { env });
  console.log();
  await type([HANGAR, 'status', id], { env });

  heading('The diff, pulled into the clone');
  await type([HANGAR, 'pull', id], { env });
  console.log();
  await type(['git', '--no-pager', 'diff', '--stat', 'HEAD']);
  const diff = await type(['git', '--no-pager', 'diff', 'HEAD'], { keep: true });
  if (diff.trim() === '') throw new Error('The pulled diff is empty');

  const signIn = (await type([HANGAR, 'server', 'sign-in-link'], { env, hide: true })).trim();
  const seconds = Math.round((performance.now() - began) / 1000);
  const hangar = path.relative(process.cwd(), HANGAR) === 'bin/hangar' ? HANGAR : 'hangar';
  heading('Summary');
  console.log(`Job ${id} changed ${diff.match(/^diff --git /gm)?.length ?? 0} files, in ${seconds} s from the first line to here.
The server runs on. Its pages: ${server.url}
Sign in (once, no password): ${signIn}
Stop it: make demo-stop

Next, in a repository of your own:

  ${hangar} cloud login --server ${server.url}
  ${hangar} run --cloud --agent claude --env ANTHROPIC_API_KEY --spec my-change.md
  ${hangar} pull JOB
`);
}

const [command] = process.argv.slice(2);
try {
  if (command === 'stop') console.log((await stopServer()) ? 'Stopped.' : 'No server of the demo is running.');
  else await story();
} catch (error) {
  console.error(`\nThe demo stopped: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
