import { fork } from 'node:child_process';
import { join } from 'node:path';
import type pg from 'pg';

interface Server {
  readonly host: string;
  readonly port: number;
  readonly headers: Readonly<Record<string, string>>;
}

interface Common {
  readonly connections: number;
  readonly seconds: number;
}

export interface SubmitLoad extends Server, Common {
  readonly kind: 'submit';
  readonly body: string;
  readonly keyPrefix: string;
  /** Jobs in all. */
  readonly atMost?: number;
  /** Gives back which key became which job. */
  readonly keepIds: boolean;
}

export interface AskLoad extends Server, Common {
  readonly kind: 'ask';
  readonly paths: readonly string[];
  /** Between an answer and the next request of the same connection; 0 asks as fast as the server answers. */
  readonly pauseMs: number;
}

export interface InsertLoad extends Common {
  readonly kind: 'insert';
  /** begin, insert, commit as a program writes it; else the statement alone, which is a transaction too. */
  readonly transaction: boolean;
  readonly database: pg.ClientConfig;
  readonly table: string;
  readonly body: string;
  readonly keyPrefix: string;
}

export type Load = SubmitLoad | AskLoad | InsertLoad;

export interface LoadResult {
  /** Of each request that was answered. */
  readonly ms: readonly number[];
  readonly seconds: number;
  retries: number;
  readonly ids: [key: string, id: string][];
}

/** Puts a load on a server or a database, from a process of its own. @throws Error when an answer was wrong */
export async function runLoad(load: Load): Promise<LoadResult> {
  const child = fork(join(import.meta.dirname, 'load-process.ts'), { serialization: 'advanced' });
  try {
    const answer = await new Promise<LoadResult | { error: string }>((resolve, reject) => {
      child.once('message', (message) => resolve(message as LoadResult | { error: string }));
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`the load ended with ${code}`)));
      child.send(load);
    });
    if ('error' in answer) throw new Error(answer.error);
    return answer;
  } finally {
    child.kill();
  }
}

export const perSecond = ({ ms, seconds }: LoadResult): number => ms.length / seconds;
