// P13: `hangar --version` and `hangar status`, beside `node -e 0`.
import { execFileSync } from 'node:child_process';
import { HANGAR, ServerProcess } from '../tests/e2e/server-process.ts';
import { median, record, timed } from './measure.ts';

const server = await (await ServerProcess.make()).start();
try {
  await server.signIn();
  const env = { PATH: process.env.PATH?.replace(/[^:]*node_modules\/\.bin:?/g, ''), ...server.cliEnv() };
  const node = async () => void execFileSync('node', ['-e', '0'], { env });
  const version = async () => void execFileSync(HANGAR, ['--version'], { env });
  const status = async () =>
    void execFileSync(HANGAR, ['jobs', '--json'], { env, stdio: ['ignore', 'pipe', 'ignore'] });
  const series: Record<'node' | 'version' | 'status', number[]> = { node: [], version: [], status: [] };
  for (let round = -2; round < 25; round++) {
    const times = [await timed(node), await timed(version), await timed(status)] as const;
    if (round < 0) continue;
    series.node.push(times[0]);
    series.version.push(times[1]);
    series.status.push(times[2]);
  }
  const ratio = (of: 'version' | 'status') => median(series[of]) / median(series.node);
  record({
    id: 'P13',
    what: '`hangar --version`, and `hangar jobs` with its one request',
    bar: '--version ≤ 1.5 × node -e 0',
    met: ratio('version') <= 1.5,
    result: `--version ${ratio('version').toFixed(2)} ×, jobs ${ratio('status').toFixed(2)} ×`,
    series: [
      { label: 'node -e 0', ms: series.node },
      { label: '--version', ms: series.version },
      { label: 'jobs', ms: series.status },
    ],
    command: 'node bench/p13-command.bench.ts',
  });
} finally {
  await server.remove();
}
