import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createOutputDecoder } from '@hangar/client/execution-output';
import { type Execution, isClosed, isEnded, type Sandbox } from '@hangar/contract';
import type { Client } from '../client.ts';
import { type Following, follow } from '../follower.ts';
import { inputOf, type PlannedExecution, scriptOf, TIMEOUT_SECONDS } from './plan.ts';

/** What somebody saw who followed it. */
export interface Seen extends Following {
  readonly stdout: string;
  readonly stderr: string;
}

export interface SentExecution {
  readonly plan: PlannedExecution;
  readonly id: string;
  readonly sandbox: Sandbox;
  readonly seen: Promise<Seen>;
}

export interface Crew {
  readonly sent: readonly SentExecution[];
  /** Starts no more. Resolves when all that was started has ended. */
  close(): Promise<void>;
}

/** Commands of one sandbox at the same time. */
const AT_ONCE = 2;
const LOOK_MS = 300;
const INPUT_PART = 100_000;

export async function openSandboxes(client: Client, profiles: readonly string[], count: number): Promise<Sandbox[]> {
  const wanted = Array.from({ length: count }, (_, n) => ({
    ...{ profile: profiles[n % profiles.length], name: `chaos ${n}`, idempotencyKey: `chaos ${n}` },
  }));
  const opened = await Promise.all(wanted.map((body) => client.json<Sandbox>('POST', '/drivers/connect', body)));
  return Promise.all(opened.map(({ id }) => until(client, id, ({ state }) => state === 'running')));
}

/** Asks for all of them to be closed; answers which were not in time. */
export async function closeSandboxes(client: Client, sandboxes: readonly Sandbox[], ms: number): Promise<string[]> {
  await Promise.all(sandboxes.map(({ id }) => client.json('POST', '/drivers/disconnect', { id })));
  const deadline = performance.now() + ms;
  const close = async ({ id }: Sandbox) => {
    const { state, reason } = await until(client, id, (one) => isClosed(one.state), deadline);
    return state === 'closed' ? [] : [`${id} is ${state}: ${reason}`];
  };
  return (await Promise.all(sandboxes.map(close))).flat();
}

async function until(client: Client, id: string, holds: (sandbox: Sandbox) => boolean, deadline = Infinity) {
  for (;;) {
    const sandbox = await client.json<Sandbox>('GET', `/drivers/sessions/${id}`);
    if (holds(sandbox) || performance.now() > deadline) return sandbox;
    if (isClosed(sandbox.state)) throw new Error(`Sandbox ${id} is ${sandbox.state}: ${sandbox.reason}`);
    await sleep(LOOK_MS);
  }
}

/** Keeps commands running in each sandbox, one after the other in each lane, and follows them. */
export function startCrew(o: {
  client: Client;
  sandboxes: readonly Sandbox[];
  next: () => PlannedExecution;
  onStart: (id: string) => void;
  /** Ends the followers, whatever they still wait for. */
  signal: AbortSignal;
}): Crew {
  const { client, signal } = o;
  const sent: SentExecution[] = [];
  let closed = false;

  async function start(sandbox: Sandbox, plan: PlannedExecution): Promise<SentExecution> {
    const { id } = await client.json<Execution>('POST', '/drivers/execute', {
      ...{ sandbox: sandbox.id, command: { shell: scriptOf(plan) }, stdin: plan.kind === 'input', graceSeconds: 1 },
      ...(plan.kind === 'late' ? { timeoutSeconds: TIMEOUT_SECONDS } : {}),
      idempotencyKey: plan.tag,
    });
    const started = { plan, id, sandbox, seen: watch(client, id, signal) };
    sent.push(started);
    o.onStart(id);
    return started;
  }
  const execution = (id: string) => client.json<Execution>('GET', `/drivers/executions/${id}`);

  async function accompany({ plan, id }: SentExecution): Promise<void> {
    if (plan.kind === 'input') {
      const input = inputOf(plan);
      for (let at = 0; at < input.length; at += INPUT_PART) {
        const part = input.subarray(at, at + INPUT_PART);
        const end = at + INPUT_PART >= input.length;
        await client.send(`/drivers/executions/${id}/input?at=${at}&end=${end}`, part);
      }
    }
    if (plan.kind === 'cancelled') {
      while (!signal.aborted && (await execution(id)).state === 'queued') await sleep(LOOK_MS);
      await sleep(plan.cancelAfterMs);
      await client.json('POST', '/drivers/cancel', { id });
    }
    while (!signal.aborted && !isEnded((await execution(id)).state)) await sleep(LOOK_MS);
  }

  async function lane(sandbox: Sandbox): Promise<void> {
    while (!closed) {
      const started = await start(sandbox, o.next());
      await accompany(started).catch((error: unknown) => client.wrong.push(`${started.id}: ${error}`));
    }
  }
  const lanes = Promise.all(o.sandboxes.flatMap((sandbox) => Array.from({ length: AT_ONCE }, () => lane(sandbox))));
  // Waited for in close(); until then a failure must not end the program.
  lanes.catch(() => undefined);

  return {
    sent,
    async close() {
      closed = true;
      await lanes;
    },
  };
}

async function watch(client: Client, id: string, signal: AbortSignal): Promise<Seen> {
  const decoder = createOutputDecoder();
  const digests = { stdout: createHash('sha256'), stderr: createHash('sha256') };
  const holes: string[] = [];
  const following = await follow(client, `/drivers/status?execution=${id}`, {
    signal,
    take(line) {
      try {
        const printed = decoder.next(line);
        if (printed !== null && 'bytes' in printed) digests[printed.stream].update(printed.bytes);
      } catch (error) {
        holes.push(String(error));
      }
    },
  });
  return {
    ...following,
    gaps: [...following.gaps, ...holes],
    stdout: digests.stdout.digest('hex'),
    stderr: digests.stderr.digest('hex'),
  };
}
