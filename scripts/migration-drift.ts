import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ROOT, run } from './run.ts';

const SERVER = path.join(ROOT, 'apps/server');

/** Generates the next migration into a copy: when there is one, somebody changed a table and not the migrations. */
export async function migrationDrift(): Promise<{ passed: boolean; output: string }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'hangar-migrations-'));
  try {
    await cp(path.join(SERVER, 'migrations'), folder, { recursive: true });
    const sqlFiles = async () => (await readdir(folder)).filter((name) => name.endsWith('.sql'));
    const before = await sqlFiles();
    const ran = await run(
      'drizzle-kit',
      [
        'generate',
        '--dialect=postgresql',
        '--schema=./src/**/*-tables.ts',
        `--out=${path.relative(SERVER, folder)}`,
        '--name=drift',
      ],
      { cwd: SERVER, timeoutMs: 60_000 },
    );
    if (ran.exitCode !== 0) return { passed: false, output: ran.output };
    const drift = (await sqlFiles()).filter((name) => !before.includes(name));
    const sql = await Promise.all(drift.map((name) => readFile(path.join(folder, name), 'utf8')));
    return drift.length === 0
      ? { passed: true, output: '' }
      : { passed: false, output: `The tables say more than apps/server/migrations:\n\n${sql.join('\n')}` };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
