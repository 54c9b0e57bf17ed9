import { execFile } from 'node:child_process';
import { HangarError } from '@hangar/contract/errors';
import type { Cli } from '../../../cli.ts';

const DEADLINE_MS = 20_000;
const MOST_BYTES = 1024 * 1024;

/** What a program of this machine prints. @throws HangarError usage, with its own words when it refused */
export function runProgram(cli: Cli, program: string, args: readonly string[]): Promise<string> {
  const options = {
    ...({ encoding: 'utf8', timeout: DEADLINE_MS, maxBuffer: MOST_BYTES, signal: cli.signal } as const),
    ...{ cwd: cli.settings.cwd, env: { ...cli.settings.env } },
  };
  return new Promise((resolve, reject) => {
    const child = execFile(program, [...args], options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      if (cli.signal.aborted) return reject(cli.signal.reason);
      const isMissing = (error.code as unknown) === 'ENOENT';
      const said = isMissing ? 'it is not installed' : stderr.trim().slice(-500) || error.message.slice(0, 500);
      reject(
        new HangarError('usage', {
          message: `${program} ${args[0] ?? ''}: ${said}`,
          wayOut: isMissing ? `Install ${program}, or use: hangar profiles create` : 'Use: hangar profiles create',
          cause: error,
        }),
      );
    });
    child.stdin?.end();
  });
}
