import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createEngine } from '../../../packages/sandbox/src/drivers/docker/engine.ts';
import type { Link } from '../../../packages/sandbox/src/drivers/docker/testing/link.ts';
import type { TestSshd } from '../../../packages/sandbox/src/drivers/ssh/testing/sshd.ts';
import type { Candidate, Candidates } from '../killer.ts';
import { commandLine, environmentOf, listProcesses, type Process } from '../processes.ts';
import type { Supervisor } from '../supervisor.ts';
import { listContainers, ofServer } from '../victims.ts';
import type { Victim } from './plan.ts';

const CUT_MS = 2_000;
const SERVES = /(?:^|\0)HANGAR_SERVES=(e_[a-z0-9]+)/;
const EXECUTES = /(?:^|\0)HANGAR_EXEC=(e_[a-z0-9]+)/;
/** The script that follows, in whatever shell it stands, and the tails of it. */
const FOLLOWS = /(?: hangar [0-9a-f]{24} .*| -f .*\/)(e_[a-z0-9]+)(?:\/(?:out|err)$| )/;

export interface SandboxScene {
  readonly candidates: Candidates<Victim>;
  /** Processes and containers that are still there. */
  leftovers(): Promise<string[]>;
  /** What lies in the account of the sshd. */
  folders(): Promise<string[]>;
}

/** Finds who could be killed: processes of containers and of the account behind the sshd are processes of this machine, too. */
export function createSandboxScene(o: {
  dataDir: string;
  supervisor: Supervisor;
  instanceId: string;
  /** The Engine itself, and the way to it that the server goes. */
  docker: { readonly host: string; readonly link: Link } | null;
  sshd: TestSshd | null;
  sshFolder: string;
  /** Whether it is an execution of this run: others may run beside it on the same machine. */
  isOurs: (id: string) => boolean;
}): SandboxScene {
  const { docker, sshd } = o;
  const engine = docker === null ? null : createEngine(docker.host);
  let cutting: Promise<void> | null = null;

  const strike = (what: string, how: () => boolean | Promise<boolean>): Candidate[] => [
    { pid: 0, what, of: null, strike: how },
  ];
  const of = (processes: readonly Process[], idOf: (process: Process) => string | null): Candidate[] =>
    processes.flatMap((process) => {
      const id = idOf(process);
      return id === null ? [] : [{ pid: process.pid, what: process.name, of: id }];
    });
  const found = (pattern: RegExp, text: string): string | null => {
    const id = pattern.exec(text)?.[1];
    return id !== undefined && o.isOurs(id) ? id : null;
  };

  return {
    async candidates(victim, pick) {
      if (victim === 'server' || victim === 'postmaster' || victim === 'backend') return ofServer(victim, pick, o);
      if (victim === 'sshd')
        return sshd === null || (await sshd.connections()) === 0
          ? []
          : strike('connections of', () => sshd.dropAll().then(() => true));
      if (victim === 'engine' || victim === 'cut') {
        if (docker === null || cutting !== null) return [];
        if (victim === 'engine')
          return strike('connections of', () => {
            docker.link.drop();
            return true;
          });
        return strike('way to', () => {
          cutting = docker.link
            .cut()
            .then(() => sleep(CUT_MS))
            .then(() => docker.link.mend())
            .finally(() => {
              cutting = null;
            });
          return true;
        });
      }
      const all = listProcesses();
      if (victim === 'master' || victim === 'session')
        return all
          .filter(({ name, parent }) => name === 'ssh' && parent === o.supervisor.pid)
          .filter(({ pid }) => commandLine(pid).includes(' -M ') === (victim === 'master'))
          .map(({ pid, name }) => ({ pid, what: name, of: null }));
      const served = (pid: number) => found(SERVES, environmentOf(pid));
      if (victim === 'follower')
        return of(all, ({ pid, name }) => (name === 'sh' || name === 'tail' ? found(FOLLOWS, commandLine(pid)) : null));
      if (victim === 'command')
        return of(all, ({ pid, parent }) => {
          const id = found(EXECUTES, environmentOf(pid));
          return id !== null && served(parent) === id ? id : null;
        });
      const parts = all.filter(({ pid, name }) => ['sh', 'cat', 'tail'].includes(name) && served(pid) !== null);
      const isSupervising = ({ pid, name }: Process) => name === 'sh' && commandLine(pid).includes('/supervise.');
      const mains = parts.filter((one) => isSupervising(one) && served(one.parent) === null);
      const isOfMain = ({ parent }: Process) => mains.some(({ pid }) => pid === parent);
      const isKeeper = ({ pid }: Process) =>
        all.some(({ parent, pid: child }) => parent === pid && commandLine(child) === 'sleep 2147483647');
      const wanted = {
        supervisor: () => mains,
        keeper: () => parts.filter((one) => isSupervising(one) && isOfMain(one) && isKeeper(one)),
        copier: () => parts.filter((one) => one.name !== 'sh' && isOfMain(one)),
      };
      return of(wanted[victim](), ({ pid }) => served(pid));
    },

    async leftovers() {
      const processes = listProcesses().filter(({ pid }) => {
        if (pid === process.pid) return false;
        const environment = environmentOf(pid);
        const isOfUnit = environment.includes(`HANGAR_UNIT=${o.instanceId}/`);
        const id = found(SERVES, environment) ?? found(EXECUTES, environment) ?? found(FOLLOWS, commandLine(pid));
        return isOfUnit || id !== null;
      });
      const label = `hangar.instance=${o.instanceId}`;
      const containers = engine ? await listContainers(engine, label, {}) : [];
      return [
        ...processes.map(({ pid, name }) => `process ${pid} ${name} ${commandLine(pid).slice(-120)}`),
        ...containers.map(({ name }) => `container ${name}`),
      ];
    },

    async folders() {
      const inside = (folder: string): string[] => {
        try {
          return readdirSync(folder).map((name) => join(basename(dirname(folder)), basename(folder), name));
        } catch {
          return [];
        }
      };
      if (sshd === null) return [];
      const spools = readdirSync(sshd.home).includes('.cache') ? readdirSync(join(sshd.home, '.cache')) : [];
      return [
        ...inside(join(o.sshFolder, o.instanceId)),
        ...spools.flatMap((name) => inside(join(sshd.home, '.cache', name))),
      ];
    },
  };
}
