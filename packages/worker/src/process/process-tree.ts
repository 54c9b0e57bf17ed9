import { readlinkSync } from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 50;
const MAX_ROUNDS = 40;
/** Who left the tree gets no long farewell: the job has ended. */
const HOLDER_GRACE_MS = 500;

/** The processes of one command: its leader, what descends from it, and what left the tree and can still be told. Linux only. */
export class ProcessTree {
  readonly #leader: number;
  readonly #mark: string;
  readonly isLeaderAlive: () => boolean;
  /** What the command got as its output, as the system names it: whoever has it open belongs to it, whatever else it hid. */
  readonly #outputs: ReadonlySet<string>;

  /** @param mark value of HANGAR_JOB_MARK in the environment of the leader */
  constructor(leader: number, mark: string, isLeaderAlive: () => boolean) {
    this.#leader = leader;
    this.#mark = mark;
    this.isLeaderAlive = isLeaderAlive;
    this.#outputs = outputsOf(leader);
  }

  /** TERM, after `graceMs` KILL, until nobody is left. @returns how many processes besides the leader were found */
  async end(graceMs: number): Promise<number> {
    return this.#endAll(() => findTree(this.#leader, this.#mark), graceMs);
  }

  /** Ends who has the output of the command open: what cut its ties to the tree and can still write. @returns how many they were */
  async endHolders(): Promise<number> {
    if (this.#outputs.size === 0) return 0;
    return this.#endAll(() => findHolders(this.#outputs), HOLDER_GRACE_MS);
  }

  async #endAll(find: () => Promise<number[]>, graceMs: number): Promise<number> {
    const others = new Set<number>();
    const look = async () => {
      const found = await find();
      for (const pid of found) if (pid !== this.#leader) others.add(pid);
      return found;
    };
    let left = await look();
    const isOver = () => left.length === 0 && !this.isLeaderAlive();
    if (isOver()) return 0;
    this.#signal(left, 'SIGTERM');
    for (const end = performance.now() + graceMs; performance.now() < end; ) {
      await sleep(POLL_MS);
      left = await look();
      if (isOver()) return others.size;
    }
    for (let round = 0; round < MAX_ROUNDS; round++) {
      this.#signal(left, 'SIGKILL');
      await sleep(round === 0 ? 10 : POLL_MS);
      left = await look();
      if (isOver()) break;
    }
    return others.size;
  }

  #signal(pids: readonly number[], signal: NodeJS.Signals): void {
    // Once the leader is gone its number may belong to somebody else's group.
    if (this.isLeaderAlive()) send(-this.#leader, signal);
    for (const pid of pids) send(pid, signal);
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already, or not ours.
  }
}

interface Seen {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  readonly marked: boolean;
}

/** Living processes of the tree: by mark in the environment, by session, and what descends from those. Linux only. */
async function findTree(leader: number, mark: string): Promise<number[]> {
  const wanted = Buffer.from(`HANGAR_JOB_MARK=${mark}`);
  const seen: Seen[] = [];
  for (const entry of await others()) {
    const stat = await readFile(`/proc/${entry}/stat`, 'latin1').catch(() => null);
    if (stat === null) continue;
    const [state, parent, , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (state === 'Z' || state === 'X') continue;
    const environ = await readFile(`/proc/${entry}/environ`).catch(() => null);
    seen.push({
      pid: Number(entry),
      parent: Number(parent),
      session: Number(session),
      marked: environ?.includes(wanted) ?? false,
    });
  }
  const tree = new Set(seen.filter((p) => p.marked || p.session === leader).map((p) => p.pid));
  for (let grown = true; grown; ) {
    grown = false;
    for (const p of seen)
      if (!tree.has(p.pid) && tree.has(p.parent)) {
        tree.add(p.pid);
        grown = true;
      }
  }
  return [...tree];
}

async function findHolders(outputs: ReadonlySet<string>): Promise<number[]> {
  const holders: number[] = [];
  for (const entry of await others()) {
    const open = await readdir(`/proc/${entry}/fd`).catch((): string[] => []);
    for (const fd of open) {
      const what = await readlink(`/proc/${entry}/fd/${fd}`).catch(() => '');
      if (!outputs.has(what)) continue;
      holders.push(Number(entry));
      break;
    }
  }
  return holders;
}

/** At once after the start: what the command makes of its descriptors later is its own affair. */
function outputsOf(leader: number): ReadonlySet<string> {
  const outputs = new Set<string>();
  for (const fd of [1, 2])
    try {
      const what = readlinkSync(`/proc/${leader}/fd/${fd}`);
      if (/^(socket|pipe):/.test(what)) outputs.add(what);
    } catch {
      // It has ended already, or the machine knows no such thing.
    }
  return outputs;
}

async function others(): Promise<string[]> {
  const entries = await readdir('/proc').catch((): string[] => []);
  return entries.filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid);
}
