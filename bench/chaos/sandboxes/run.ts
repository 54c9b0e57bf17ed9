import { mkdirSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Plan } from '@hangar/contract';
import { dockerForTests } from '../../../packages/sandbox/src/drivers/docker/testing/index.ts';
import { startLink } from '../../../packages/sandbox/src/drivers/docker/testing/link.ts';
import { startSshd, type TestSshd } from '../../../packages/sandbox/src/drivers/ssh/testing/sshd.ts';
import { ServerProcess } from '../../../tests/e2e/server-process.ts';
import { type Client, createClient } from '../client.ts';
import { type Kill, killAll } from '../killer.ts';
import { askDatabase, questionsOf, remains } from '../remains.ts';
import { type ChaosResult, killInWords, ofTheRun } from '../run.ts';
import { supervise } from '../supervisor.ts';
import type { Check } from '../verdict.ts';
import { closeSandboxes, openSandboxes, startCrew } from './crew.ts';
import { planExecution, planSandboxKills, type Victim } from './plan.ts';
import { createSandboxScene } from './scene.ts';
import { type Evidence, endings, gather, judge } from './verdict.ts';

export type SandboxDriver = 'local' | 'docker' | 'ssh';

export interface SandboxChaosOptions {
  readonly seed: number;
  readonly kills: number;
  readonly sandboxes: number;
  readonly drivers: readonly SandboxDriver[];
  readonly say: (line: string) => void;
}

/** From the last kill until every execution must have ended: the longest take 20 s, and a busy machine several times that. */
const DRAIN_MS = 240_000;
const CLOSE_MS = 120_000;
const REMAINS_MS = 60_000;
/** What a machine needs is away: the same as a server that is. */
const NOT_NOW = [503, 429, 424];

/**
 * Executes in sandboxes of a real server while what that needs is killed, and judges what became of it. The same seed kills the same kinds
 * of victims after the same pauses and executes the same commands.
 */
export async function runSandboxChaos(o: SandboxChaosOptions): Promise<ChaosResult> {
  const begun = performance.now();
  const docker = o.drivers.includes('docker') ? await dockerForTests() : null;
  if (docker && 'skipped' in docker) throw new Error(`There is no Docker: ${docker.skipped}`);
  await using made = new AsyncDisposableStack();
  const link = docker === null ? null : made.adopt(await startLink(docker.host), (each) => each.close());
  const sshd = o.drivers.includes('ssh') ? made.use(await startSshd()) : null;
  const server = await ServerProcess.make();
  const dataDir = join(server.dir, 'data');
  const sshFolder = join(server.dir, 'ssh-units');
  const supervisor = await supervise(server);
  const giveUp = new AbortController();
  let holds = false;
  try {
    const client = createClient(server.url, await server.adminKey(), NOT_NOW);
    const settings = {
      local: () => ({}),
      docker: () => ({ host: link?.host, image: docker?.image, pull: 'never', network: 'none' }),
      ssh: () => ({ ...wayTo(sshd), folder: sshFolder }),
    };
    await raiseLimits(client, o.sandboxes);
    for (const driver of o.drivers)
      await client.json('POST', '/profiles', { name: `chaos-${driver}`, driver, settings: settings[driver]() });
    const [setting] = await askDatabase<{ value: string }>(dataDir, `select value from setting where key = 'instance'`);
    const ids = new Set<string>();
    const scene = createSandboxScene({
      isOurs: (id) => ids.has(id),
      ...{ dataDir, supervisor, instanceId: setting?.value ?? '', sshd, sshFolder },
      docker: docker === null || link === null ? null : { host: docker.host, link },
    });
    const names = o.drivers.map((driver) => `chaos-${driver}`);
    const sandboxes = await openSandboxes(client, names, o.sandboxes);
    let n = 0;
    const crew = startCrew({
      ...{ client, sandboxes, signal: giveUp.signal },
      next: () => planExecution(o.seed, ++n),
      onStart: (id) => ids.add(id),
    });

    const kills: Kill<Victim>[] = [];
    await killAll({
      plan: planSandboxKills(o.seed, o.kills),
      ...{ candidates: scene.candidates, instead: ['follower', 'command'] },
      onKill(kill) {
        kills.push(kill);
        o.say(killInWords(kill, begun));
      },
    });
    o.say(`${crew.sent.length} commands were started; waiting for their end`);
    const timer = setTimeout(() => giveUp.abort(), DRAIN_MS);
    await crew.close();
    await Promise.race([Promise.all(crew.sent.map(({ seen }) => seen)), sleep(DRAIN_MS, undefined, { ref: false })]);
    clearTimeout(timer);
    giveUp.abort();
    const evidence: Evidence[] = [];
    for (const sent of crew.sent) evidence.push(await gather(client, sent, kills));

    const open = await closeSandboxes(client, sandboxes, CLOSE_MS);
    const left = await remains({
      ...{ dataDir, leftovers: scene.leftovers, folders: scene.folders, deadlineMs: REMAINS_MS },
      questions: [...questionsOf('sandbox'), ...questionsOf('execution')],
      accepted: { sandbox: o.sandboxes, execution: crew.sent.length },
    });
    const checks: Check[] = [
      ...judge(evidence),
      { name: 'every sandbox was there until it was closed', looked: o.sandboxes, wrong: open },
      ...left,
      ...ofTheRun({ supervisor, client, wanted: o.kills, kills: kills.length }),
    ];
    holds = checks.every(({ wrong }) => wrong.length === 0);
    for (const line of endings(evidence)) o.say(line);
    if (!holds) keepRecords(server, evidence);
    const ran = `${crew.sent.length} commands in ${o.sandboxes} sandboxes (${o.drivers.join(', ')})`;
    return { checks, holds, ran, kills, seconds: (performance.now() - begun) / 1000 };
  } finally {
    giveUp.abort();
    await supervisor.stop();
    if (holds) await server.remove();
    else o.say(`Kept for a look: ${server.dir}`);
  }
}

const wayTo = (sshd: TestSshd | null) => ({
  ...{ host: '127.0.0.1', port: sshd?.port, user: userInfo().username, key: sshd?.key },
});

async function raiseLimits(client: Client, sandboxes: number): Promise<void> {
  const { items } = await client.json<{ items: Plan[] }>('GET', '/plans');
  for (const plan of items) await client.json('PUT', `/plans/${plan.id}`, { ...plan, jobsAtOnce: 10 * sandboxes });
}

/** What a person needs to find out why: the server's log and all that is known of each execution. */
function keepRecords(server: ServerProcess, evidence: readonly Evidence[]): void {
  const dir = join(server.dir, 'records');
  mkdirSync(dir);
  writeFileSync(join(dir, 'server.log'), server.output);
  for (const { sent, stdout, stderr, ...rest } of evidence) {
    writeFileSync(join(dir, `${sent.id}.json`), JSON.stringify({ ...rest, plan: sent.plan }, null, 1));
    writeFileSync(join(dir, `${sent.id}.out`), stdout);
    writeFileSync(join(dir, `${sent.id}.err`), stderr);
  }
}
