import { randomBytes } from 'node:crypto';
import { statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Finish, Usage, WorkOrder } from '@hangar/contract';
import { AGENT_EVENTS, afterMs, ERRORS, HangarError, PHASE_LIMITS } from '@hangar/contract';
import { type AgentPlan, nameCommitter, planAgent, writeHome } from './agent/agent.ts';
import { AgentEvents } from './agent/output/agent-events.ts';
import { inTime, later, within } from './deadline.ts';
import { type Git, openGit } from './git/git.ts';
import { heldLines } from './log/held-lines.ts';
import { JobLog } from './log/job-log.ts';
import { LineReader } from './log/lines.ts';
import { Masker } from './mask/mask.ts';
import { secretsOf } from './mask/secrets.ts';
import { agentFailed, failureOf, type Result, stoppedBy } from './outcome.ts';
import { makePlaces, type Places } from './places.ts';
import { memoryEvents } from './process/memory.ts';
import { type Ended, runTree } from './process/processes.ts';
import { listen, Reports, Stopper } from './process/stopper.ts';
import { gatherArtifacts } from './result/artifacts.ts';
import { digest } from './result/diff.ts';
import { Diffs } from './result/diffs.ts';
import { withAuthorities } from './server/authorities.ts';
import type { WorkerChannel } from './server/channel.ts';
import type { CredentialHelper } from './source/credential.ts';
import { type Base, prepareTree, type Source } from './source/source.ts';
import { WorkFolder } from './work-folder.ts';

const GRACE_MS = 5000;
const PATIENCE: Patience = {
  cloneMs: PHASE_LIMITS.cloningSeconds * 1000,
  collectMs: PHASE_LIMITS.collectingSeconds * 1000,
  lastWordMs: PHASE_LIMITS.deliveringSeconds * 1000,
  goneMs: 30_000,
  lookMs: 1000,
};
const USAGE_EVERY_MS = 5000;
/** But the marks by which a machine finds all that was started in it. */
const OF_THE_WORKER =
  /^(HANGAR_(?!(EXEC|UNIT)$)|GIT_|SSH_AUTH_SOCK$|SSH_AGENT_PID$|OLDPWD$|NODE_OPTIONS$|NODE_CHANNEL_FD$)/;
const OF_THE_MACHINE = new RegExp(`${OF_THE_WORKER.source}|^XDG_`);
const GONE = { code: 'work_folder_gone', reason: ERRORS.work_folder_gone.message } as const;

export interface Patience {
  /** How long the repository may take to get, */
  readonly cloneMs: number;
  /** a diff to make, */
  readonly collectMs: number;
  /** and how long a server that is away is waited for at the end, */
  readonly lastWordMs: number;
  /** or when there is nothing left to hand over, because the work folder is gone. */
  readonly goneMs: number;
  /** How often it is looked whether that is still there. */
  readonly lookMs: number;
}

export interface RunOptions {
  /** Private folder of this run, made if it is missing. The caller removes it. */
  readonly dir: string;
  /** Abort cancels the job: its reason is told when it is a string. */
  readonly signal: AbortSignal;
  /** What the agent's environment is built on: PATH, language, proxies. HANGAR_* and GIT_* are taken out. */
  readonly env: NodeJS.ProcessEnv;
  /** Runs `answerGit`; only needed for an https token. */
  readonly helper?: CredentialHelper;
  /** In place of what the order's repo says. */
  readonly source?: Source;
  /** A real home for the agent, with its sign-in and settings; then no variable is asked for. A private empty one else. */
  readonly home?: string;
  /** More that must never be shown. */
  readonly secrets?: readonly string[];
  readonly patience?: Partial<Patience>;
  readonly log?: (message: string) => void;
}

interface Run {
  readonly order: WorkOrder;
  readonly channel: WorkerChannel;
  readonly o: RunOptions;
  readonly note: RunOptions['log'];
  readonly log: JobLog;
  readonly masker: Masker;
  readonly places: Places;
  readonly git: Git;
  readonly stopper: Stopper;
  readonly reports: Reports;
  readonly patience: Patience;
  readonly folder: WorkFolder;
  /** Of the agent that runs or ran, when it prints events. */
  events: AgentEvents | null;
}

/**
 * Carries out one work order: files, agent, diff, last word. Resolves with what was reported, whatever the outcome.
 * @throws HangarError worker_fenced, worker_token_invalid when the job is not ours any more; everything is stopped then
 */
export async function runWorkOrder(order: WorkOrder, channel: WorkerChannel, o: RunOptions): Promise<Finish> {
  const masker = new Masker();
  for (const secret of secretsOf(order)) masker.add(secret);
  for (const secret of o.secrets ?? []) masker.add(secret);
  const log = new JobLog(channel, masker, order.limits.logBytes);
  const stopper = new Stopper();
  const cancelled = () =>
    stopper.stop({
      code: 'job_cancelled',
      reason: typeof o.signal.reason === 'string' ? o.signal.reason : 'The worker was told to stop.',
    });
  const fenced = () => stopper.stop(null);
  if (o.signal.aborted) cancelled();
  o.signal.addEventListener('abort', cancelled, { once: true });
  channel.fenced.addEventListener('abort', fenced, { once: true });
  const over = new AbortController();
  const listening = listen(order, channel, stopper, over.signal, o.log);
  const reports = new Reports(channel, over.signal);
  let folder: WorkFolder | null = null;
  try {
    const places = await makePlaces(o.dir);
    const patience = { ...PATIENCE, ...o.patience };
    folder = new WorkFolder(places.run, patience.lookMs);
    folder.gone.addEventListener('abort', () => stopper.stop(GONE), { once: true });
    const git = openGit({ home: places.gitHome, base: await withAuthorities(o.env, places.gitHome) });
    return await carryOut({
      ...{ order, channel, o, log, masker, places, git, stopper, reports, patience, folder },
      note: (message) => o.log?.(masker.mask(message)),
      events: null,
    });
  } finally {
    over.abort();
    folder?.close();
    o.signal.removeEventListener('abort', cancelled);
    channel.fenced.removeEventListener('abort', fenced);
    await listening;
  }
}

async function carryOut(run: Run): Promise<Finish> {
  const diffs = new Diffs(run);
  const result = await work(run, diffs).catch((error: unknown) => failedWith(run, error));
  throwIfFenced(run);
  run.reports.add({ phase: 'collecting' });
  // For all that needs the server: what the job has made is worth as long a wait as the word that it has ended.
  const late = () => new Error('The server did not come back');
  // Without the work folder nothing is left but the word itself, which a server that is there takes at once.
  const gone = later(run.folder.gone, run.patience.goneMs);
  const limit = within([run.channel.fenced, gone.signal], run.patience.lastWordMs, late);
  try {
    const end = await lastDiff(run, diffs, result, limit.signal);
    throwIfFenced(run);
    run.log.system(end.reason);
    await inTime(run.log.drain(), limit.signal);
    await inTime(run.reports.settled(), limit.signal);
    const lastLogSeq = await run.channel.flush(limit);
    const finish: Finish = {
      ...end,
      ...masked(run.masker, end),
      diff: diffs.saved,
      ...(run.events?.usage ? { usage: run.events.usage } : {}),
      at: new Date().toISOString(),
      lastLogSeq,
    };
    await run.channel.finish(finish, limit);
    return finish;
  } catch (error) {
    throwIfFenced(run);
    throw error;
  } finally {
    gone.done();
    limit.done();
  }
}

async function work(run: Run, diffs: Diffs): Promise<Result> {
  const { places, stopper } = run;
  stopper.signal.throwIfAborted();
  run.reports.add({ phase: 'cloning' });
  const base = await getFiles(run);
  diffs.begin(base);
  const { env, plan } = await prepareAgent(run);
  await writeFile(join(places.run, 'excludes'), plan.keeps.map((pattern) => `${pattern}\n`).join(''));
  run.reports.add({ phase: 'running', commit: base.commit });
  const before = await memoryEvents();
  const ended = await runSteps(run, diffs, plan, { ...env, ...plan.env });
  throwIfFenced(run);
  if (ended.stopped && stopper.why) return stoppedBy(stopper.why, ended);
  if (ended.exitCode === 0)
    return {
      outcome: 'succeeded',
      exitCode: 0,
      signal: null,
      failure: null,
      reason: 'The agent ended with exit code 0.',
    };
  const after = await memoryEvents();
  return agentFailed(ended, {
    ...(after && before && after.kills > before.kills ? { memoryLimit: after.limitBytes } : {}),
    refused: run.events?.refused === true,
  });
}

/** The work tree, within the time that a repository may take. */
async function getFiles(run: Run): Promise<Base> {
  const { order, o } = run;
  const limit = within([run.stopper.signal], run.patience.cloneMs, () => new HangarError('cloning_too_long'));
  try {
    const source = o.source ?? (await sourceOf(run, limit.signal));
    return await prepareTree(source, {
      git: run.git,
      places: run.places,
      helper: o.helper ?? { argv: [] },
      reach: { allowLocal: order.repo.allowLocal, env: o.env },
      path: o.env.PATH ?? '/usr/bin:/bin',
      branch: `hangar/${order.jobId}`,
      say: (text) => run.log.system(text),
      signal: limit.signal,
    });
  } finally {
    limit.done();
  }
}

async function prepareAgent(run: Run) {
  const { order, o, places } = run;
  if (o.home === undefined) await writeHome(places.home);
  const env: Record<string, string> = {};
  // A home is not only HOME: what the machine set for its own user must not lead out of it. What the job sets is the job's own.
  const kept = o.home === undefined ? OF_THE_MACHINE : OF_THE_WORKER;
  for (const [name, value] of Object.entries(o.env)) if (value !== undefined && !kept.test(name)) env[name] = value;
  Object.assign(env, order.env, {
    HOME: o.home ?? places.home,
    HANGAR_JOB_ID: order.jobId,
    HANGAR_ARTIFACTS: places.artifacts,
  });
  env.PATH ??= '/usr/local/bin:/usr/bin:/bin';
  if (o.home !== undefined) await nameCommitter(places.tree, { git: run.git, env, signal: run.stopper.signal });
  const plan = await planAgent(order.agent, order.spec, {
    env,
    runDir: places.run,
    home: o.home === undefined ? places.home : null,
  });
  return { env, plan };
}

async function runSteps(run: Run, diffs: Diffs, plan: AgentPlan, env: Record<string, string>): Promise<Ended> {
  const { order, places, log, masker, stopper } = run;
  const reason = `The agent took longer than its timeout of ${order.timeoutSeconds} s.`;
  const noTimeout = afterMs(order.timeoutSeconds * 1000, () => stopper.stop({ code: 'job_timeout', reason }));
  const over = new AbortController();
  const usage = usageTeller(run);
  const saving = diffs.saveEvery(order.checkpointSeconds, AbortSignal.any([over.signal, stopper.signal]));
  let ended: Ended = { exitCode: 0, signal: null, stopped: false, leftRunning: 0 };
  try {
    for (const step of plan.steps) {
      // Stopped between two steps: those that are left do not run.
      if (stopper.signal.aborted) return { ...ended, stopped: true };
      log.system(step.says);
      const stdout = plan.output === null ? new LineReader(masker) : listenTo(run, plan.output);
      const readers = { stdout, stderr: new LineReader(masker) };
      const held = heldLines(log, readers);
      ended = await runTree(
        {
          file: step.file,
          args: step.args,
          cwd: places.tree,
          env,
          stdin: step.stdin,
          mark: randomBytes(16).toString('hex'),
        },
        {
          read: async (stream, chunk) => {
            await log.add(stream, await readers[stream].push(chunk));
            held.look(stream);
            if (stream === 'stdout') usage.tell();
          },
          stop: stopper.signal,
          graceMs: GRACE_MS,
        },
      );
      held.done();
      // Without waiting for room: the agent has ended, so there is nothing that must be slowed down.
      void log.add('stdout', await readers.stdout.end());
      void log.add('stderr', readers.stderr.end());
      if (ended.leftRunning > 0)
        log.system(
          `Ended ${ended.leftRunning} ${ended.leftRunning === 1 ? 'process' : 'processes'} the agent left running`,
        );
      if (ended.exitCode !== 0) break;
    }
    return ended;
  } finally {
    noTimeout();
    over.abort();
    await saving;
  }
}

function listenTo(run: Run, output: NonNullable<AgentPlan['output']>): AgentEvents {
  run.events = new AgentEvents({
    output,
    tree: run.places.tree,
    masker: run.masker,
    file: join(run.places.run, AGENT_EVENTS),
    maxBytes: run.order.limits.artifactBytes,
  });
  return run.events;
}

/** Tells what the agent has used, when that has changed and not too often. */
function usageTeller(run: Run): { tell(): void } {
  let told: Usage | null = null;
  let at = Number.NEGATIVE_INFINITY;
  return {
    tell() {
      const usage = run.events?.usage ?? null;
      if (usage === null || usage === told || performance.now() - at < USAGE_EVERY_MS) return;
      told = usage;
      at = performance.now();
      run.reports.add({ usage });
    },
  };
}

/** Saves the diff as it is at the end, and the artifacts; what goes wrong here can turn a success into a failure. */
async function lastDiff(run: Run, diffs: Diffs, result: Result, signal: AbortSignal): Promise<Result> {
  if (!diffs.begun) return result;
  let end = result;
  try {
    const stat = await diffs.save(result.outcome !== 'succeeded', signal);
    if (stat) {
      const { filesChanged, insertions, deletions } = stat;
      run.log.system(
        `Diff: ${count(filesChanged, 'file')} changed, ${count(insertions, 'insertion')}, ${count(deletions, 'deletion')}`,
      );
    }
  } catch (error) {
    throwIfFenced(run);
    const failure = failureOf(await whyNot(run, error), 'collect_failed');
    run.note?.(`collecting: ${error instanceof Error ? error.stack : error}`);
    // What the job ends with is said at its end.
    if (end.outcome === 'succeeded') end = { ...end, outcome: 'failed', failure, reason: failure.message };
    else if (failure.message !== end.reason) run.log.system(failure.message);
  }
  try {
    await uploadArtifacts(run, diffs, signal);
  } catch (error) {
    throwIfFenced(run);
    const { message } = failureOf(await whyNot(run, error), 'internal');
    if (message !== end.reason) run.log.system(`Artifacts could not be saved: ${message}`);
  }
  return end;
}

async function uploadArtifacts(run: Run, diffs: Diffs, signal: AbortSignal): Promise<void> {
  let room = run.order.limits.artifactBytes - (diffs.saved?.sizeBytes ?? 0);
  const leftOut = (what: string) => run.log.system(`Artifact left out: ${what}`);
  const names: string[] = [];
  const upload = async (name: string, file: string) => {
    const { sha256, sizeBytes } = await digest(file);
    await run.channel.upload({ name, kind: 'file', partial: false, file, sizeBytes, sha256 }, { signal });
    names.push(name);
  };
  const events = run.events?.kept;
  if (events && (events.cut || events.bytes > room)) leftOut(`${AGENT_EVENTS}: more than the plan has left`);
  else if (events && events.bytes > 0) {
    await upload(AGENT_EVENTS, join(run.places.run, AGENT_EVENTS));
    room -= events.bytes;
  }
  for (const { name, file } of await gatherArtifacts(run.places.artifacts, run.places.run, room, leftOut))
    await upload(name, file);
  if (names.length > 0) run.log.system(`Artifacts: ${names.join(', ')}`);
}

async function sourceOf(run: Run, signal: AbortSignal): Promise<Source> {
  const { repo, credential } = run.order;
  if (!repo.bundle) {
    if (repo.url === null) throw new HangarError('repo_required');
    return { kind: 'remote', url: repo.url, ref: repo.ref, commit: repo.commit, credential };
  }
  if (repo.commit === null) throw new HangarError('bundle_invalid', { message: 'The bundle comes without a commit.' });
  run.log.system('Fetching the bundle of the checkout');
  const download = async (what: 'bundle' | 'patch'): Promise<string> => {
    const file = join(run.places.run, what);
    await run.channel.download(what, file, { signal });
    return file;
  };
  const [bundleFile, patchFile] = await Promise.all([download('bundle'), repo.patch ? download('patch') : null]);
  return {
    kind: 'bundle',
    url: repo.url,
    credential,
    commit: repo.commit,
    bundleFile,
    patchFile,
  };
}

async function failedWith(run: Run, error: unknown): Promise<Result> {
  throwIfFenced(run);
  if (run.stopper.why) return stoppedBy(run.stopper.why, null);
  // Whatever it was that failed: it failed for that.
  if (await run.folder.isGone()) return stoppedBy(GONE, null);
  if (!(error instanceof HangarError))
    run.note?.(error instanceof Error ? (error.stack ?? error.message) : String(error));
  const failure = failureOf(error, 'internal');
  return {
    outcome: 'failed',
    exitCode: null,
    signal: null,
    failure,
    reason: failure.message,
  };
}

/** What git or a system said may hold anything that it was given. */
function masked(masker: Masker, { reason, failure }: Result): Pick<Result, 'reason' | 'failure'> {
  const said = (text: string) => masker.mask(text);
  return {
    reason: said(reason).slice(0, 1000),
    failure: failure && { ...failure, message: said(failure.message), wayOut: said(failure.wayOut) },
  };
}

/** What stands behind an error that git, for one, says in words only. */
async function whyNot(run: Run, error: unknown): Promise<unknown> {
  if (await run.folder.isGone()) return new HangarError('work_folder_gone');
  return (await isFull(run.places.run)) ? new HangarError('disk_full') : error;
}

/** Whether there is next to nothing left where this run keeps its files. */
async function isFull(folder: string): Promise<boolean> {
  const left = await statfs(folder).catch(() => null);
  return left !== null && left.bavail * left.bsize < 64 * 1024;
}

function throwIfFenced(run: Run): void {
  const { fenced } = run.channel;
  if (!fenced.aborted) return;
  throw fenced.reason instanceof HangarError ? fenced.reason : new HangarError('worker_fenced');
}

const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`;
