import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError, type ProfileCheck } from '@hangar/contract';
import { type ProbeResult, readProbe } from '../../brought/probe.ts';
import { PROBE } from '../../brought/programs.ts';
import type { UnitKey, UnitSpec, Units } from '../../port/unit.ts';
import type { Bubblewrap } from './bubblewrap.ts';
import { lastWords, type UnitFolder } from './unit-folder.ts';

const PROBE_DEADLINE_MS = 20_000;

/** Starts the probe exactly as all that is brought. */
export async function testLocal(o: {
  walls: (signal: AbortSignal) => Promise<Bubblewrap | null>;
  folderOf: (key: UnitKey) => UnitFolder;
  /** Starts it and keeps it from being swept until `during` is done. */
  run: (spec: UnitSpec, during: () => Promise<string>) => Promise<string>;
  units: Pick<Units, 'inspect' | 'remove'>;
  signal: AbortSignal;
}): Promise<ProfileCheck[]> {
  const checks: ProfileCheck[] = [];
  let walls: Bubblewrap | null;
  try {
    walls = await o.walls(o.signal);
  } catch (error) {
    return [failed('Isolation', error)];
  }
  checks.push({ name: 'Isolation', ok: true, detail: describeWalls(walls), wayOut: null });

  const key = { id: `probe${randomBytes(6).toString('hex')}`, attempt: 0 };
  const spec: UnitSpec = {
    ...{ key, program: { kind: 'brought', name: PROBE, input: 'probe' }, image: null },
    ...{ resources: {}, deadlineSeconds: PROBE_DEADLINE_MS / 1000 },
  };
  const folder = o.folderOf(key);
  try {
    const output = await o.run(spec, async () => {
      const deadline = performance.now() + PROBE_DEADLINE_MS;
      while ((await o.units.inspect(key, o)).kind !== 'exited' && performance.now() < deadline) {
        await sleep(20, undefined, { signal: o.signal });
      }
      return readFile(folder.log, 'utf8');
    });
    const result = readProbe(output);
    if (result) checks.push(...readable(result));
    else checks.push({ ...START, ok: false, detail: (await lastWords(folder)) || 'The probe printed nothing.' });
  } catch (error) {
    checks.push(failed(START.name, error));
  } finally {
    await o.units.remove(key, o);
  }
  return checks;
}

const START = { name: 'Worker starts', wayOut: 'See the server log.' };

function readable(result: ProbeResult): ProfileCheck[] {
  const check = (name: string, problem: string | null, detail: string, wayOut: string): ProfileCheck => ({
    ...{ name, ok: problem === null, detail: problem ?? detail, wayOut: problem === null ? null : wayOut },
  });
  return [
    check(START.name, result.token ? null : 'The token did not arrive.', `Node ${result.node}`, START.wayOut),
    check('Git', result.git ? null : 'There is no git.', result.git ?? '', 'Install the package git on this machine.'),
    check('Work folder', result.folder, 'It can be written.', 'Check HANGAR_DATA_DIR.'),
    check('Server reached', result.server, 'The worker reaches this server.', 'Check HANGAR_DATA_DIR and HANGAR_HOST.'),
  ];
}

/** What keeps a job from the rest of the machine, in words. */
export function describeWalls(walls: Bubblewrap | null): string {
  if (walls === null) {
    return 'None: jobs run as the user of the server and see all its files. Install bubblewrap to change that.';
  }
  const who = walls.asRoot ? 'an account of its own' : 'a user namespace';
  return `bubblewrap ${walls.version}: ${who}, a private home and /tmp, the system read-only, the network shared.`;
}

function failed(name: string, error: unknown): ProfileCheck {
  const known = error instanceof HangarError ? error : new HangarError('launch_failed', { cause: error });
  return { name, ok: false, detail: known.message, wayOut: known.wayOut };
}
