import { setTimeout as sleep } from 'node:timers/promises';

/** Node tells of what nobody heard a turn of its loop later. */
const TOLD_MS = 20;

/** What is thrown and rejected during the work with nobody to hear it: outside of a test Node ends the process with it. */
export async function unheardDuring(work: () => Promise<unknown>): Promise<unknown[]> {
  const unheard: unknown[] = [];
  const hear = (error: unknown) => void unheard.push(error);
  process.on('uncaughtException', hear).on('unhandledRejection', hear);
  try {
    await work();
    await sleep(TOLD_MS);
  } finally {
    process.off('uncaughtException', hear).off('unhandledRejection', hear);
  }
  return unheard;
}
