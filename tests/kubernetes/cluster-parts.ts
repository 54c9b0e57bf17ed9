import { spawn } from 'node:child_process';
import { openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { KUBE_TOOLS } from './cluster.ts';

/** The programs of the test cluster, to be killed and stopped. @param home its folder */
export function clusterParts(home: string) {
  const file = join(home, 'run/pids');
  const lines = () =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split(' '));

  function pidOf(name: string): number {
    const found = lines().find(([, one]) => one === name)?.[0];
    if (found === undefined) throw new Error(`the cluster has no ${name}`);
    return Number(found);
  }

  return {
    pidOf,

    /** Kills a program; what it gives starts the same one again. */
    kill(name: string): () => Promise<void> {
      const pid = pidOf(name);
      const [program = '', ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
      process.kill(pid, 'SIGKILL');
      return async () => {
        const log = openSync(join(home, `run/log/${name}.log`), 'a');
        const child = spawn(program, args, { detached: true, stdio: ['ignore', log, log] });
        child.unref();
        writeFileSync(
          file,
          lines()
            .map(([id, one]) => `${one === name ? child.pid : id} ${one}\n`)
            .join(''),
        );
        await sleep(100);
      };
    },

    /** The machine of the node goes down, with all that runs on it, and comes up again. */
    async restartNode(): Promise<void> {
      await execa(join(KUBE_TOOLS, 'down.sh'), ['--keep'], { timeout: 120_000 });
      await execa(join(KUBE_TOOLS, 'up.sh'), [], { timeout: 180_000, stdio: 'ignore' });
    },

    /** Processes of workers in pods, and no others': a local job of another Hangar on this machine has the same folder. */
    workersInPods(): number[] {
      return readdirSync('/proc').flatMap((pid) => {
        if (!/^[0-9]+$/.test(pid)) return [];
        try {
          const environment = readFileSync(`/proc/${pid}/environ`, 'latin1');
          const words = ['HANGAR_WORKER_DIR=/job', 'KUBERNETES_SERVICE_HOST='];
          return words.every((word) => environment.includes(word)) ? [Number(pid)] : [];
        } catch {
          return [];
        }
      });
    },
  };
}
