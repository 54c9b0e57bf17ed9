import { z } from 'zod';

/**
 * Runs where a worker would run, started as it is, and prints one line of JSON: what a driver's `test` has to know.
 * Plain JavaScript for Node 20, in one file, because that is all that gets there.
 */
export const PROBE_SOURCE = `
import { execFile } from 'node:child_process';
import { mkdir, writeFile, rm } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';

let token = '';
for await (const chunk of process.stdin) token += chunk;

const git = await new Promise((resolve) => {
  execFile('git', ['--version'], { timeout: 10000 }, (error, out) => resolve(error ? null : out.trim()));
});

const dir = process.env.HANGAR_WORKER_DIR;
const folder = await (async () => {
  try {
    await mkdir(dir, { recursive: true });
    await writeFile(path.join(dir, 'probe'), 'probe');
    await rm(path.join(dir, 'probe'));
    return null;
  } catch (error) {
    return String(error.message);
  }
})();

const url = process.env.HANGAR_WORKER_URL;
const server = await new Promise((resolve) => {
  const unix = url.startsWith('unix:');
  const target = unix ? 'http://localhost/api/worker/claim' : url.replace(/\\/$/, '') + '/api/worker/claim';
  const options = { method: 'POST', timeout: 5000, ...(unix ? { socketPath: url.slice(5) } : {}) };
  const request = (target.startsWith('https:') ? https : http).request(target, options, (response) => {
    response.resume();
    resolve(response.statusCode < 500 ? null : 'it answers ' + response.statusCode);
  });
  request.on('timeout', () => request.destroy(new Error('no answer in 5 s')));
  request.on('error', (error) => resolve(error.code ? error.code + ' ' + url : error.message));
  request.end();
});

process.stdout.write(JSON.stringify({
  hangarProbe: 1, node: process.version, git, folder, server, token: token.trim() !== '',
  user: process.getuid ? process.getuid() : -1,
}) + '\\n');
process.exit(0);
`;

const ProbeResult = z.object({
  hangarProbe: z.literal(1),
  node: z.string(),
  /** `git --version`, or null where there is no git. */
  git: z.string().nullable(),
  /** Why the private folder cannot be written; null when it can. */
  folder: z.string().nullable(),
  /** Why the server cannot be reached; null when it can. */
  server: z.string().nullable(),
  token: z.boolean(),
  user: z.number(),
});
export type ProbeResult = z.infer<typeof ProbeResult>;

/** Finds the line of the probe in what was printed; null when it did not get that far. */
export function readProbe(output: string): ProbeResult | null {
  for (const line of output.split('\n')) {
    if (!line.includes('"hangarProbe"')) continue;
    try {
      return ProbeResult.parse(JSON.parse(line.slice(line.indexOf('{'))));
    } catch {
      return null;
    }
  }
  return null;
}
