import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Plan } from '@hangar/contract';
import { dockerForTests } from '../../packages/sandbox/src/drivers/docker/testing/index.ts';
import { ServerProcess } from '../../tests/e2e/server-process.ts';
import { type Client, createClient } from './client.ts';
import { type Evidence, gather } from './evidence.ts';
import { launchFleet, sendBase } from './fleet.ts';
import { type Kill, killAll } from './killer.ts';
import { openMarkers } from './markers.ts';
import { planJob, planKills } from './plan.ts';
import { askDatabase, questionsOf, remains } from './remains.ts';
import { type Supervisor, supervise } from './supervisor.ts';
import { type Check, endings, judge } from './verdict.ts';
import { createScene } from './victims.ts';

export interface ChaosOptions {
  readonly seed: number;
  readonly kills: number;
  /** Jobs in flight at any time. */
  readonly jobs: number;
  readonly drivers: readonly ('local' | 'docker')[];
  readonly say: (line: string) => void;
}

export interface ChaosResult {
  readonly checks: readonly Check[];
  readonly holds: boolean;
  /** What was run, in words. */
  readonly ran: string;
  readonly kills: readonly Kill<string>[];
  readonly seconds: number;
}

const CHECKPOINT_SECONDS = 5;
/** From the last kill until every job must have ended: silence of 30 s is waited for before a worker is looked for. */
const DRAIN_MS = 180_000;
const REMAINS_MS = 60_000;
const READERS = 6;

/**
 * Runs jobs on a real server while what they need is killed, and judges what became of them.
 * The same seed kills the same kinds of victims after the same pauses and sends the same jobs.
 */
export async function runChaos(o: ChaosOptions): Promise<ChaosResult> {
  const begun = performance.now();
  const docker = o.drivers.includes('docker') ? await dockerForTests() : null;
  if (docker && 'skipped' in docker) throw new Error(`There is no Docker: ${docker.skipped}`);
  const server = await ServerProcess.make({
    HANGAR_HEARTBEAT_SECONDS: '1',
    HANGAR_CHECKPOINT_SECONDS: String(CHECKPOINT_SECONDS),
  });
  const dataDir = join(server.dir, 'data');
  const supervisor = await supervise(server);
  const markers = await openMarkers();
  const giveUp = new AbortController();
  let holds = false;
  try {
    const client = createClient(server.url, await server.adminKey());
    const profiles = await prepare(client, o, docker);
    const base = await sendBase(client, server.dir);
    const [setting] = await askDatabase<{ value: string }>(dataDir, `select value from setting where key = 'instance'`);
    const scene = createScene({
      dataDir,
      supervisor,
      instanceId: setting?.value ?? '',
      dockerHost: docker?.host ?? null,
    });
    let n = 0;
    const fleet = launchFleet({
      ...{ client, base, atOnce: o.jobs, markPort: markers.port, signal: giveUp.signal },
      next: () => planJob(o.seed, ++n, profiles),
    });
    await untilInFlight(() => fleet.sent.length, o.jobs, client);

    const kills: Kill[] = [];
    await killAll({
      plan: planKills(o.seed, o.kills),
      ...{ candidates: scene.candidates, instead: ['agent', 'worker', 'server', 'postmaster'] },
      onKill(kill) {
        kills.push(kill);
        const job = kill.of === null ? undefined : fleet.byId(kill.of);
        if (job && (kill.victim === 'worker' || kill.victim === 'wrapper')) job.doomed = true;
        o.say(killInWords(kill, begun));
      },
    });
    await fleet.close();
    o.say(`${fleet.sent.length} jobs were sent; waiting for their end`);
    const ended = Promise.all(fleet.sent.map(({ followed }) => followed));
    await Promise.race([ended, sleep(DRAIN_MS, undefined, { ref: false })]);
    const left = await remains({
      dataDir,
      questions: questionsOf('job', 'admitted_at is not null'),
      accepted: { job: fleet.sent.length },
      leftovers: scene.leftovers,
      deadlineMs: REMAINS_MS,
    });
    giveUp.abort();

    const evidence: Evidence[] = [];
    const queue = [...fleet.sent];
    const reader = async () => {
      for (let job = queue.shift(); job; job = queue.shift()) evidence.push(await gather(client, job, kills));
    };
    await Promise.all(Array.from({ length: READERS }, reader));

    const checks: Check[] = [
      ...judge({ evidence, markers, base, kills, upFrom: supervisor.upFrom, checkpointMs: CHECKPOINT_SECONDS * 1_000 }),
      ...left,
      ...ofTheRun({ supervisor, client, wanted: o.kills, kills: kills.length }),
    ];
    holds = checks.every(({ wrong }) => wrong.length === 0);
    for (const line of endings(evidence)) o.say(line);
    if (!holds) keepRecords(server, evidence);
    await scene.clear();
    return { checks, holds, ran: `${fleet.sent.length} jobs`, kills, seconds: (performance.now() - begun) / 1000 };
  } finally {
    giveUp.abort();
    await supervisor.stop();
    await markers.close();
    if (holds) await server.remove();
    else o.say(`Kept for a look: ${server.dir}`);
  }
}

/** What holds of the run itself. */
export function ofTheRun(o: { supervisor: Supervisor; client: Client; wanted: number; kills: number }): Check[] {
  const { starts, byItself } = o.supervisor;
  return [
    { name: 'the server ended only when killed', looked: starts, wrong: byItself, note: `${starts - 1} restarts` },
    { name: 'every answer was done or not now', looked: 1, wrong: o.client.wrong },
    { name: 'all kills were done', looked: o.wanted, wrong: o.kills === o.wanted ? [] : [`${o.kills}`] },
  ];
}

async function prepare(
  client: Client,
  o: ChaosOptions,
  docker: { host: string; image: string } | null,
): Promise<string[]> {
  const atOnce = 10 * o.jobs;
  const { items } = await client.json<{ items: Plan[] }>('GET', '/plans');
  for (const plan of items) await client.json('PUT', `/plans/${plan.id}`, { ...plan, jobsAtOnce: atOnce });
  for (const driver of o.drivers) {
    const settings =
      driver === 'docker' ? { host: docker?.host, image: docker?.image, pull: 'never', network: 'host' } : {};
    const limits = { jobsAtOnce: atOnce };
    await client.json('POST', '/profiles', { name: `chaos-${driver}`, driver, settings, limits });
  }
  return o.drivers.map((driver) => `chaos-${driver}`);
}

async function untilInFlight(count: () => number, wanted: number, client: Client): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (count() < wanted && performance.now() < deadline) await sleep(50);
  if (count() < wanted) throw new Error(`The server takes no jobs: ${client.wrong.at(-1) ?? 'it does not answer'}`);
}

/** What a person needs to find out why: the server's log and all that is known of each job. */
function keepRecords(server: ServerProcess, evidence: readonly Evidence[]): void {
  const dir = join(server.dir, 'records');
  mkdirSync(dir);
  writeFileSync(join(dir, 'server.log'), server.output);
  for (const { sent, followed, ...rest } of evidence)
    writeFileSync(join(dir, `${sent.id}.json`), JSON.stringify({ ...rest, followed }, null, 1));
}

export function killInWords(kill: Kill<string>, begun: number): string {
  const at = ((kill.at - begun) / 1000).toFixed(1).padStart(6);
  const of = kill.of === null ? '' : ` of ${kill.of}`;
  return `${at} s  kill ${String(kill.n).padStart(3)}  ${kill.victim.padEnd(10)} ${kill.what} ${kill.pid}${of}`;
}

export function table(result: ChaosResult): string {
  const rows = result.checks.map(({ name, looked, wrong, note }) => {
    const head = `${wrong.length === 0 ? 'holds' : 'FAILS'}  ${name.padEnd(48)} ${String(looked).padStart(5)}${note ? `  ${note}` : ''}`;
    return [head, ...wrong.slice(0, 8).map((line) => `         ${line}`)].join('\n');
  });
  const victims = Object.entries(Object.groupBy(result.kills, ({ victim }) => victim));
  const killed = victims.map(([victim, some]) => `${some?.length ?? 0} ${victim}`).join(', ');
  return [
    ...rows,
    `${result.ran}, ${result.kills.length} kills (${killed}) in ${result.seconds.toFixed(0)} s: ${result.holds ? 'all hold' : 'NOT all hold'}`,
  ].join('\n');
}
