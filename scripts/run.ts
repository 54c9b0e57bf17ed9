import { spawn } from 'node:child_process';
import path from 'node:path';

export const ROOT = path.dirname(import.meta.dirname);

export interface Ran {
  /** null when it was ended by a signal. */
  readonly exitCode: number | null;
  /** stdout and stderr, as they came. */
  readonly output: string;
  readonly elapsedMs: number;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly timeoutMs: number;
  /** Prints as it runs, and keeps nothing. */
  readonly show?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a program to its end. Never throws: a program that cannot be started has exit code 127. */
export function run(program: string, args: readonly string[], options: RunOptions): Promise<Ran> {
  const began = performance.now();
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: options.cwd ?? ROOT,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', options.show ? 'inherit' : 'pipe', options.show ? 'inherit' : 'pipe'],
      signal: AbortSignal.timeout(options.timeoutMs),
    });
    const chunks: Buffer[] = [];
    child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => chunks.push(chunk));
    const end = (exitCode: number | null, note = '') =>
      resolve({ exitCode, output: Buffer.concat(chunks).toString() + note, elapsedMs: performance.now() - began });
    child.on('error', (error) =>
      error.name === 'AbortError'
        ? end(null, `\nStopped after ${options.timeoutMs / 1000} s.`)
        : end(127, `\n${error.message}`),
    );
    child.on('close', (exitCode) => end(exitCode));
  });
}
