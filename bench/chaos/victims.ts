import { basename, join } from 'node:path';
import { readPostmaster } from '../../apps/server/src/platform/database/embedded/postmaster.ts';
import { createEngine, type Engine } from '../../packages/sandbox/src/drivers/docker/engine.ts';
import type { Candidate, Candidates } from './killer.ts';
import type { Victim } from './plan.ts';
import { commandLine, descendants, environmentOf, folderOf, listProcesses, type Process } from './processes.ts';
import type { Supervisor } from './supervisor.ts';

/** Of the kills of a server, this part may meet one that has not come up yet. */
const KILL_WHILE_STARTING = 0.3;

/** Finds who could be killed on this machine, and what is left when all is over. */
export interface Scene {
  readonly candidates: Candidates<Victim>;
  /** Processes and containers of jobs of this server that are still there. */
  leftovers(): Promise<string[]>;
  /** Removes containers and volumes that the server's Docker driver keeps between jobs. */
  clear(): Promise<void>;
}

export function createScene(o: {
  dataDir: string;
  supervisor: Supervisor;
  instanceId: string;
  dockerHost: string | null;
}): Scene {
  const unitsDir = join(o.dataDir, 'units');
  const engine = o.dockerHost === null ? null : createEngine(o.dockerHost);
  const label = `hangar.instance=${o.instanceId}`;

  function ofUnits(): { jobId: string; processes: Process[] }[] {
    const all = listProcesses();
    return all
      .filter(({ name, pid }) => name === 'sh' && commandLine(pid).includes(` hangar-unit ${unitsDir}/`))
      .filter(({ parent }, _index, shells) => !shells.some(({ pid }) => pid === parent))
      .map((shell) => {
        const root = / hangar-unit (\S+)/.exec(commandLine(shell.pid))?.[1] ?? '';
        const jobId = basename(root).replace(/-\d+$/, '');
        return { jobId, processes: [shell, ...descendants(all, shell.pid)] };
      });
  }

  async function ofContainer(pick: number): Promise<{ jobId: string; processes: Process[] }[]> {
    if (!engine) return [];
    const running = await listContainers(engine, label, { status: ['running'] });
    const units = running.filter(({ jobId }) => jobId !== '');
    const chosen = units[Math.floor(pick * units.length)];
    if (!chosen) return [];
    const call = { signal: AbortSignal.timeout(5_000), query: { ps_args: '-eo pid,ppid,comm' } };
    const top = (await engine.json('GET', `/containers/${chosen.id}/top`, call).catch(() => null)) as {
      Processes: string[][];
    } | null;
    const processes = (top?.Processes ?? []).map(([pid, parent, name]) => ({
      pid: Number(pid),
      parent: Number(parent),
      name: name ?? '',
    }));
    return [{ jobId: chosen.jobId, processes }];
  }

  return {
    async candidates(victim, pick) {
      if (victim === 'server' || victim === 'postmaster' || victim === 'backend') return ofServer(victim, pick, o);
      const units = [...ofUnits(), ...(await ofContainer(pick))];
      return units
        .flatMap(({ jobId, processes }) => {
          const found = processes.filter((process) => kindOf(process) === victim);
          // What a worker has just forked looks like the worker until it is what it starts: nobody can say what it would be.
          const isFork = (process: Process) => victim === 'worker' && found.some(({ pid }) => pid === process.parent);
          return found.filter((process) => !isFork(process)).map((process) => ({ process, jobId }));
        })
        .map(({ process: { pid, name }, jobId }) => ({ pid, what: name, of: jobId }))
        .sort((a, b) => a.pid - b.pid);
    },

    async leftovers() {
      const processes = listProcesses()
        .filter(({ pid }) => {
          if (pid === process.pid) return false;
          const inside = folderOf(pid);
          return environmentOf(pid).includes(`HANGAR_UNIT=${o.instanceId}/`) || inside.startsWith(`${unitsDir}/`);
        })
        .map(({ pid, name }) => `process ${pid} ${name}`);
      const containers = engine ? await listContainers(engine, label, {}) : [];
      // The container that fills the volume with the worker's files belongs to no job.
      return [...processes, ...containers.filter(({ jobId }) => jobId !== '').map(({ name }) => `container ${name}`)];
    },

    async clear() {
      if (!engine) return;
      const signal = AbortSignal.timeout(60_000);
      for (const { id } of await listContainers(engine, label, {}))
        await engine.json('DELETE', `/containers/${id}`, { query: { force: '1', v: '1' }, signal }).catch(() => null);
      const filters = JSON.stringify({ label: [label] });
      const found = (await engine.json('GET', '/volumes', { query: { filters }, signal }).catch(() => null)) as {
        Volumes: { Name: string }[] | null;
      } | null;
      for (const { Name } of found?.Volumes ?? [])
        await engine.json('DELETE', `/volumes/${Name}`, { query: { force: '1' }, signal }).catch(() => null);
    },
  };
}

/** The server itself and its database. */
export async function ofServer(
  victim: 'server' | 'postmaster' | 'backend',
  pick: number,
  o: { dataDir: string; supervisor: Supervisor },
): Promise<Candidate[]> {
  const { supervisor } = o;
  if (victim === 'server') {
    // Now and then while it starts; always then, and a busy machine never gets it up.
    const mayDie = supervisor.pid > 0 && (supervisor.ready || pick < KILL_WHILE_STARTING);
    return mayDie ? [{ pid: supervisor.pid, what: 'server', of: null, strike: () => supervisor.kill() > 0 }] : [];
  }
  const postmaster = (await readPostmaster(join(o.dataDir, 'postgres')))?.pid ?? 0;
  const all = listProcesses();
  if (all.find(({ pid }) => pid === postmaster)?.name !== 'postgres') return [];
  if (victim === 'postmaster') return [{ pid: postmaster, what: 'postmaster', of: null }];
  return descendants(all, postmaster).map(({ pid }) => ({ pid, what: commandLine(pid), of: null }));
}

function kindOf({ pid, name }: Process): Victim {
  if (environmentOf(pid).includes('HANGAR_JOB_ID=')) return 'agent';
  if (name.startsWith('git') || name === 'ssh') return 'git';
  return /worker\.mjs/.test(commandLine(pid)) && !/^(sh|bwrap|timeout|setpriv|prlimit|env|docker-init)$/.test(name)
    ? 'worker'
    : 'wrapper';
}

export async function listContainers(engine: Engine, label: string, filters: Record<string, string[]>) {
  const query = { all: '1', filters: JSON.stringify({ label: [label], ...filters }) };
  const found = (await engine
    .json('GET', '/containers/json', { query, signal: AbortSignal.timeout(10_000) })
    .catch(() => null)) as { Id: string; Names: string[]; Labels: Record<string, string> }[] | null;
  return (found ?? [])
    .map(({ Id, Names, Labels }) => ({ id: Id, name: Names[0] ?? '', jobId: Labels['hangar.job'] ?? '' }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
