import { glob, readFile } from 'node:fs/promises';
import path from 'node:path';
import { DriverName, MachineCapabilities, UnitCapabilities } from '../packages/contract/src/profiles.ts';
import { ROOT } from './run.ts';

const DRIVERS = 'packages/sandbox/src/drivers';

const yes = (value: boolean): string => (value ? 'yes' : '–');

/** What a row of the table is called, and its values in plain words. */
const OF_UNITS: { [Key in keyof UnitCapabilities]: [string, (value: UnitCapabilities[Key]) => string] } = {
  image: ['starts from an image that is named', yes],
  cpus: ['limits CPU', yes],
  memory: ['limits memory', yes],
  pids: ['limits the number of processes', yes],
  isolation: ['stands between a unit and its host', (value) => (value === 'none' ? 'nothing' : value)],
  pause: ['can be paused and goes on later', yes],
};
const OF_MACHINES: { [Key in keyof MachineCapabilities]: [string, (value: MachineCapabilities[Key]) => string] } = {
  stdio: ['output of a process', (value) => (value === 'binary' ? 'every byte' : 'text: we send base64')],
  stdin: ['input of a process', (value) => (value === 'stream' ? 'with an end' : 'none: we bring a file')],
  stderr: ['stderr apart from stdout', yes],
  terminal: ['opens terminals itself', yes],
  user: ['runs as another account', yes],
  load: ['CPU, memory and disk in use', (value) => (value === 'native' ? 'the backend says' : 'we look in `/proc`')],
  openAtOnce: ['processes opened at a time', (value) => (value === null ? 'any number' : String(value))],
  argumentBytes: ['longest argument', (value) => `${Math.floor((value + 1) / 1024)} KiB`],
};

/** What drivers declare of their units and machines, as a table: a column for each driver, in the order of the contract. */
export async function driverTable(): Promise<string> {
  const columns = await Promise.all(
    DriverName.options.map(async (name) => ({
      name,
      units: await declared(name, 'UnitCapabilities', UnitCapabilities),
      machines: await declared(name, 'MachineCapabilities', MachineCapabilities),
    })),
  );
  const row = (first: string, cells: readonly string[]) => `| ${[first, ...cells].join(' | ')} |`;
  const rows = <Of extends object>(
    words: { [Key in keyof Of]: [string, (value: Of[Key]) => string] },
    of: readonly (Of | null)[],
  ) =>
    (Object.keys(words) as (keyof Of)[]).map((key) => {
      const [title, say] = words[key];
      return row(
        title,
        of.map((one) => (one === null ? 'no machine' : say(one[key]))),
      );
    });
  return [
    row(
      '',
      columns.map(({ name }) => `\`${name}\``),
    ),
    row(
      '---',
      columns.map(() => '---'),
    ).replaceAll(' ', ''),
    row(
      '**a unit**',
      columns.map(() => ''),
    ),
    ...rows(
      OF_UNITS,
      columns.map(({ units, name }) => units ?? missing(name, 'UnitCapabilities')),
    ),
    row(
      '**its machine**',
      columns.map(() => ''),
    ),
    ...rows(
      OF_MACHINES,
      columns.map(({ machines }) => machines),
    ),
  ].join('\n');
}

/** The exported constant of that type in the driver's folder; null when it declares none. */
async function declared<Of>(driver: string, type: string, schema: { parse(value: unknown): Of }): Promise<Of | null> {
  const folder = path.join(ROOT, DRIVERS, driver);
  for await (const file of glob('**/*.ts', { cwd: folder })) {
    if (/\.test\.ts$|(^|\/)testing\//.test(file)) continue;
    const at = path.join(folder, file);
    const name = new RegExp(`\\bconst (\\w+): ${type} = `).exec(await readFile(at, 'utf8'))?.[1];
    if (name === undefined) continue;
    const module: Record<string, unknown> = await import(at);
    if (module[name] === undefined)
      throw new Error(`Export ${name} of ${DRIVERS}/${driver}/${file}: docs/drivers.md tells it.`);
    return schema.parse(module[name]);
  }
  return null;
}

function missing(driver: string, type: string): never {
  throw new Error(`No file of ${DRIVERS}/${driver} has a constant of the type ${type}.`);
}
