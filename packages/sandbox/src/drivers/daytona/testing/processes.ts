import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** What runs in a fake sandbox carries its id in the environment, as what runs in a container is of its container. */
export const SANDBOX_VARIABLE = 'DAYTONA_SANDBOX_ID';

async function each(): Promise<number[]> {
  return (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
}

async function processesOf(sandbox: string): Promise<number[]> {
  const found = await Promise.all(
    (await each()).map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
      return environment.split('\0').includes(`${SANDBOX_VARIABLE}=${sandbox}`) ? pid : null;
    }),
  );
  return found.filter((pid) => pid !== null);
}

/** As the end of a container: all of it at once, also what has a session of its own. */
export async function killSandbox(sandbox: string): Promise<void> {
  for (let round = 0; round < 50; round += 1) {
    const left = await processesOf(sandbox);
    if (left.length === 0) return;
    for (const pid of left) signalTo(pid, 'SIGKILL');
    await sleep(20);
  }
}

async function treeOf(root: number): Promise<number[]> {
  const parents = await Promise.all(
    (await each()).map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
      // The name in brackets may hold anything.
      const [state, parent, group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return { pid, parent: Number(parent), group: Number(group), isDead: state === 'Z' || stat === '' };
    }),
  );
  const tree = new Set([root]);
  for (let grown = true; grown; ) {
    grown = false;
    for (const { pid, parent, group } of parents) {
      if (tree.has(pid) || (!tree.has(parent) && group !== root)) continue;
      tree.add(pid);
      grown = true;
    }
  }
  return parents.filter(({ pid, isDead }) => tree.has(pid) && !isDead).map(({ pid }) => pid);
}

/** TERM to the group and the tree of a session's shell, then KILL to what is left of them. */
export async function endTree(root: number, graceMs: number): Promise<void> {
  const first = await treeOf(root);
  for (const pid of first) signalTo(pid, 'SIGTERM');
  const until = performance.now() + graceMs;
  for (;;) {
    const now = new Set(await treeOf(root));
    const alive = await Promise.all(first.map(async (pid) => now.has(pid) || (await isAlive(pid))));
    if (!alive.includes(true) && now.size === 0) return;
    if (performance.now() > until) break;
    await sleep(20);
  }
  for (const pid of new Set([...first, ...(await treeOf(root))])) signalTo(pid, 'SIGKILL');
}

async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  return stat !== '' && stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z';
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}
