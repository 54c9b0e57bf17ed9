// R7, the soak: a steady stream of small jobs with 50 followers of their logs, and what it leaves in memory, files and processes.
// node bench/soak.ts --minutes 10 --jobs 420   (the long form: --minutes 120 --jobs 5000)
import { type Dirent, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Job, Plan } from '@hangar/contract';
import { dockerForTests } from '../packages/sandbox/src/drivers/docker/testing/index.ts';
import { ROOT, ServerProcess } from '../tests/e2e/server-process.ts';
import { type Client, createClient } from './chaos/client.ts';
import { type Base, sendBase } from './chaos/fleet.ts';
import { follow } from './chaos/follower.ts';
import { environmentOf, listProcesses } from './chaos/processes.ts';
import { askDatabase, questionsOf, remains } from './chaos/remains.ts';
import { supervise } from './chaos/supervisor.ts';
import type { Check } from './chaos/verdict.ts';
import { createScene } from './chaos/victims.ts';
import { median, quantile } from './measure.ts';

const SAMPLE_MS = 10_000;
const DRAIN_MS = 120_000;
const LINES = 40;
/** Flat: the median of the last quarter is at most so many times the one of the second. The first is warm-up. */
const FLAT = 1.15;
/** The pool, the listener, the hold on the data directory, and a compaction or two. */
const CONNECTIONS_MOST = 14;
/** Over the median of the second quarter, when jobs were running. */
const FILES_MORE = 4;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    jobs: { type: 'string', default: '420' },
    followers: { type: 'string', default: '50' },
    driver: { type: 'string', default: 'local' },
  },
});
const minutes = Number(values.minutes);
const wanted = Number(values.jobs);
const drivers = values.driver === 'both' ? ['local', 'docker'] : [values.driver];

const SPEC = `# Soak\n\n\`\`\`sh\ni=0; while [ $i -lt ${LINES} ]; do i=$((i+1)); echo "line $i"; [ $((i % 10)) -eq 0 ] && sleep 0.3; done\nmkdir -p new && date > new/now.txt && echo changed >> README.md\necho report > "$HANGAR_ARTIFACTS/report.txt"\n\`\`\`\n`;

/** What a server holds at one moment. */
interface Sample {
  readonly minute: number;
  readonly jobs: number;
  readonly rssMiB: number;
  readonly heapMiB: number;
  /** Buffers and what else lies outside of the heap. */
  readonly externalMiB: number;
  readonly loopDelayMs: number;
  readonly files: number;
  readonly connections: number;
  readonly unitProcesses: number;
  readonly unitFolders: number;
  readonly blobs: number;
  readonly unfinishedBlobs: number;
}
const COLUMNS = [
  ...([
    'minute',
    'jobs',
    'rssMiB',
    'heapMiB',
    'externalMiB',
    'loopDelayMs',
    'files',
    'connections',
    'unitProcesses',
  ] as const),
  ...(['unitFolders', 'blobs', 'unfinishedBlobs'] as const),
];

const server = await ServerProcess.make();
const dataDir = join(server.dir, 'data');
const supervisor = await supervise(server);
const giveUp = new AbortController();
let holds = false;
try {
  const client = createClient(server.url, await server.adminKey());
  const docker = drivers.includes('docker') ? await dockerForTests() : null;
  if (docker && 'skipped' in docker) throw new Error(`There is no Docker: ${docker.skipped}`);
  await prepare(client, docker);
  const base = await sendBase(client, server.dir);
  const [setting] = await askDatabase<{ value: string }>(dataDir, `select value from setting where key = 'instance'`);
  const instanceId = setting?.value ?? '';
  const scene = createScene({ dataDir, supervisor, instanceId, dockerHost: docker?.host ?? null });

  const sent: string[] = [];
  const trouble: string[] = [];
  const begun = performance.now();
  const minute = () => (performance.now() - begun) / 60_000;
  let open = true;
  const followers = Promise.all(
    Array.from({ length: Number(values.followers) }, async (_, index) => {
      // Apart from each other, so that some begin with a job and some come late.
      for (let seen = ''; open; await sleep(20 + index)) {
        const id = sent.at(-1 - (index % 3));
        if (id === undefined || id === seen) continue;
        seen = id;
        let count = 0;
        const { gaps, end } = await follow(client, `/jobs/${id}/logs?follow=true`, {
          signal: giveUp.signal,
          take({ stream, text }) {
            if (stream === 'stdout' && /^line \d+$/.test(text)) count += 1;
          },
        });
        if (gaps.length > 0 || !end || count !== LINES) trouble.push(`follower of ${id}: ${count} lines, ${gaps}`);
      }
    }),
  );
  const samples: Sample[] = [];
  const sampling = (async () => {
    while (open && !giveUp.signal.aborted) {
      const sample = await takeSample(minute(), sent.length, instanceId);
      samples.push(sample);
      console.log(COLUMNS.map((name) => `${name} ${sample[name]}`).join('  '));
      await sleep(SAMPLE_MS);
    }
  })().catch((error: unknown) => trouble.push(`sampling: ${error}`));

  for (let n = 0; n < wanted; n += 1) {
    await sleep(Math.max(0, begun + (n * minutes * 60_000) / wanted - performance.now()));
    sent.push(await send(client, base, n));
  }
  const left = await remains({
    ...{ dataDir, leftovers: scene.leftovers, deadlineMs: DRAIN_MS, accepted: { job: sent.length } },
    questions: questionsOf('job', 'admitted_at is not null'),
  });
  open = false;
  await Promise.race([followers, sleep(30_000, undefined, { ref: false })]);
  giveUp.abort();
  await followers;
  await sampling;
  await sleep(2_000);
  const last = await takeSample(minute(), sent.length, instanceId);
  const states = await askDatabase<{ state: string; n: number }>(
    dataDir,
    'select state, count(*)::int as n from job group by state',
  );
  const checks: Check[] = [
    {
      name: 'every job succeeded',
      looked: sent.length,
      wrong: states.filter(({ state }) => state !== 'succeeded').map(({ state, n }) => `${n} ${state}`),
    },
    { name: 'each follower saw each line once and in order', looked: Number(values.followers), wrong: trouble },
    ...left,
    ...flatness(samples, last),
    { name: 'the server ended only when told to', looked: supervisor.starts, wrong: supervisor.byItself },
    { name: 'every answer was done or not now', looked: 1, wrong: client.wrong },
  ];
  holds = checks.every(({ wrong }) => wrong.length === 0);
  tell(checks, samples, last);
  await scene.clear();
} finally {
  giveUp.abort();
  await supervisor.stop();
  if (holds) await server.remove();
  else console.log(`Kept for a look: ${server.dir}`);
}
process.exit(holds ? 0 : 1);

async function prepare(client: Client, docker: { host: string; image: string } | null): Promise<void> {
  const { items } = await client.json<{ items: Plan[] }>('GET', '/plans');
  for (const plan of items) await client.json('PUT', `/plans/${plan.id}`, { ...plan, jobsAtOnce: 20 });
  for (const driver of drivers) {
    const settings =
      driver === 'docker' ? { host: docker?.host, image: docker?.image, pull: 'never', network: 'host' } : {};
    await client.json('POST', '/profiles', { name: `soak-${driver}`, driver, settings, limits: { jobsAtOnce: 20 } });
  }
}

async function send(client: Client, base: Base, n: number): Promise<string> {
  const job = await client.json<Job>('POST', '/jobs', {
    title: `soak ${n}`,
    spec: SPEC,
    repo: { bundle: base.bundle, commit: base.commit, name: 'soak' },
    profile: `soak-${drivers[n % drivers.length]}`,
    idempotencyKey: `soak-${n}`,
  });
  return job.id;
}

async function takeSample(minute: number, jobs: number, instanceId: string): Promise<Sample> {
  const { pid } = supervisor;
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const metrics = await fetch(`${server.url}/metrics`)
    .then((answer) => answer.text())
    .catch(() => '');
  const metric = (name: string) => Number(new RegExp(`^${name} (\\S+)`, 'm').exec(metrics)?.[1] ?? Number.NaN);
  const [pg] = await askDatabase<{ n: number }>(
    dataDir,
    `select count(*)::int as n from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`,
  );
  const units = listProcesses().filter((one) => environmentOf(one.pid).includes(`HANGAR_UNIT=${instanceId}/`));
  const blobs = entries(join(dataDir, 'blobs')).filter((entry) => entry.isFile());
  const round = (value: number) => Math.round(value * 10) / 10;
  return {
    minute: round(minute),
    jobs,
    rssMiB: round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024),
    heapMiB: round(metric('hangar_nodejs_heap_size_used_bytes') / 1024 ** 2),
    externalMiB: round(metric('hangar_nodejs_external_memory_bytes') / 1024 ** 2),
    loopDelayMs: round(metric('hangar_nodejs_eventloop_lag_p99_seconds') * 1_000),
    files: readdirSync(`/proc/${pid}/fd`).length,
    connections: pg?.n ?? Number.NaN,
    unitProcesses: units.length,
    unitFolders: entries(join(dataDir, 'units')).filter(({ name }) => !name.startsWith('.')).length,
    blobs: blobs.length,
    unfinishedBlobs: blobs.filter(({ parentPath }) => parentPath.endsWith('/.tmp')).length,
  };
}

/** Everything below a folder; what goes away while it is looked at is not there. */
function entries(folder: string): Dirent[] {
  try {
    const recursive = !folder.endsWith('/units');
    return readdirSync(folder, { recursive, withFileTypes: true });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

function quarters(samples: readonly Sample[], column: keyof Sample): { second: number; last: number } {
  const during = samples.filter(({ minute }) => minute <= minutes);
  const quarter = (n: number) =>
    during
      .slice(Math.floor((during.length * (n - 1)) / 4), Math.floor((during.length * n) / 4))
      .map((sample) => sample[column]);
  return { second: median(quarter(2)), last: median(quarter(4)) };
}

function flatness(samples: readonly Sample[], last: Sample): Check[] {
  const flat = (name: string, column: keyof Sample): Check => {
    const { second, last: end } = quarters(samples, column);
    const note = `second quarter ${second}, last quarter ${end}, ${(end / second).toFixed(2)} ×`;
    return { name, looked: samples.length, wrong: end <= second * FLAT ? [] : [note], note };
  };
  const atEnd = (name: string, value: number, most: number): Check => ({
    name,
    looked: 1,
    wrong: value <= most ? [] : [`${value}, at most ${most}`],
    note: String(value),
  });
  return [
    flat(`memory is flat (≤ ${FLAT} ×)`, 'rssMiB'),
    flat('open files are flat', 'files'),
    flat('database connections are flat', 'connections'),
    atEnd('connections at the end', last.connections, CONNECTIONS_MOST),
    atEnd('open files at the end', last.files, quarters(samples, 'files').second + FILES_MORE),
    atEnd('unfinished blobs at the end', last.unfinishedBlobs, 0),
  ];
}

function tell(checks: readonly Check[], samples: readonly Sample[], last: Sample): void {
  for (const { name, looked, wrong, note } of checks) {
    console.log(
      `${wrong.length === 0 ? 'holds' : 'FAILS'}  ${name.padEnd(48)} ${String(looked).padStart(5)}${note ? `  ${note}` : ''}`,
    );
    for (const line of wrong.slice(0, 8)) console.log(`         ${line}`);
  }
  const now = new Date().toISOString();
  const machine = `${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, ${Math.round(totalmem() / 1024 ** 3)} GiB, Node ${process.versions.node}`;
  const result = {
    ...{ machine, at: now, command: `node bench/soak.ts --minutes ${minutes} --jobs ${wanted}` },
    ...{ followers: Number(values.followers), drivers, holds },
    checks: checks.map(({ name, wrong, note }) => ({ name, holds: wrong.length === 0, note: note ?? null })),
    rssMiB: { ...quarters(samples, 'rssMiB'), most: Math.max(...samples.map(({ rssMiB }) => rssMiB)) },
    loopDelayMs: {
      median: median(samples.map(({ loopDelayMs }) => loopDelayMs)),
      p95: quantile(
        samples.map(({ loopDelayMs }) => loopDelayMs),
        0.95,
      ),
    },
    last,
    samples,
  };
  const dir = join(ROOT, 'bench/results');
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, `${now.slice(0, 10)}-soak.json`), `${JSON.stringify(result, null, 2)}\n`);
  console.log(
    `${wanted} jobs in ${minutes} minutes, ${values.followers} followers: ${holds ? 'all hold' : 'NOT all hold'}`,
  );
}
