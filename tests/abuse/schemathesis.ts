import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { execa } from 'execa';
import { ROOT } from '../e2e/server-process.ts';

const REQUIREMENTS = join(import.meta.dirname, 'requirements.txt');

/** Installs schemathesis from PyPI into a folder of its own, once. Answers why not where that does not work. */
export async function installSchemathesis(): Promise<{ folder: string } | { skipped: string }> {
  const version = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 12);
  const folder = join(ROOT, '.hangar', `schemathesis-${version}`);
  if (existsSync(join(folder, 'installed'))) return { folder };
  const pip = await execa('python3', ['-m', 'pip', '--version'], { reject: false });
  if (pip.exitCode !== 0) return { skipped: 'there is no Python with pip here (python3, python3-pip)' };
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const quiet = ['--quiet', '--disable-pip-version-check', '--no-input', '--no-deps', '--only-binary=:all:'];
  const args = ['-m', 'pip', 'install', ...quiet, '--target', folder, '--requirement', REQUIREMENTS];
  const installed = await execa('python3', args, { reject: false, timeout: 240_000, all: true });
  if (installed.exitCode !== 0)
    return { skipped: `schemathesis cannot be installed: ${String(installed.all).slice(-300)}` };
  writeFileSync(join(folder, 'installed'), '');
  return { folder };
}

export interface FuzzRun {
  readonly exitCode: number | undefined;
  readonly output: string;
}

/** One run over the whole document, always with the same requests. */
export async function fuzz(
  folder: string,
  o: {
    document: string;
    url: string;
    dir: string;
    phases: string;
    examples: number;
    checks: readonly string[];
    headers: Readonly<Record<string, string>>;
    without: readonly string[];
  },
): Promise<FuzzRun> {
  mkdirSync(o.dir, { recursive: true });
  const ran = await execa(
    'python3',
    [
      ...['-m', 'schemathesis.cli', 'run', o.document, '--url', o.url, '--no-color', '--warnings', 'off'],
      ...['--generation-deterministic', '--generation-with-security-parameters', 'false', '--no-shrink'],
      ...['--continue-on-failure', '--suppress-health-check', 'all', '--request-timeout', '20'],
      ...['--phases', o.phases, '--max-examples', String(o.examples), '--checks', o.checks.join(',')],
      ...Object.entries(o.headers).flatMap(([name, value]) => ['--header', `${name}: ${value}`]),
      ...['--exclude-path-regex', o.without.join('|')],
    ],
    {
      cwd: o.dir,
      reject: false,
      all: true,
      timeout: 400_000,
      env: { PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: '1', PYTHONHASHSEED: '0', HOME: o.dir },
    },
  );
  return { exitCode: ran.exitCode, output: String(ran.all) };
}

/** Stands between the fuzzer and the server, reads every answer, and counts. */
export interface Listening {
  readonly url: string;
  readonly statuses: Map<number, number>;
  /** Requests whose answer held a secret. */
  readonly leaks: string[];
  close(): Promise<void>;
}

export async function listenBetween(target: string, secrets: readonly string[]): Promise<Listening> {
  const statuses = new Map<number, number>();
  const leaks: string[] = [];
  const server = createServer((incoming, outgoing) => {
    const onward = send(
      `${target}${incoming.url}`,
      { method: incoming.method, headers: incoming.headers },
      (answer) => {
        const status = answer.statusCode ?? 0;
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('end', () => {
          const body = Buffer.concat(parts);
          const seen = `${answer.rawHeaders.join('\n')}\n${body.toString('latin1')}`;
          // A session is renewed by sending its cookie to the browser it came from.
          const own = incoming.headers.cookie?.split('=')[1];
          const held = secrets.find((secret) => secret !== own && seen.includes(secret));
          if (own !== undefined && body.toString('latin1').includes(own))
            leaks.push(`${incoming.method} ${incoming.url}: session`);
          if (held !== undefined)
            leaks.push(`${incoming.method} ${incoming.url}: ${held.slice(0, 8)}… in ${seen.slice(0, 2000)}`);
          outgoing.writeHead(status, answer.rawHeaders).end(body);
        });
        answer.on('error', () => outgoing.destroy());
      },
    );
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    statuses,
    leaks,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
