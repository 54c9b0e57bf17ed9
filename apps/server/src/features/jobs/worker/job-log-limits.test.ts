import { sizeInWords, type WorkerLine } from '@hangar/contract';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { JobLog } from '../../../../../../packages/worker/src/log/job-log.ts';
import { Masker } from '../../../../../../packages/worker/src/mask/mask.ts';
import { createBlobsInMemory } from '../../../platform/blobs/testing/blobs-in-memory.ts';
import { createTestDatabase } from '../../../platform/database/testing/index.ts';
import { createLogs, type Logs } from '../../../platform/logs/index.ts';
import { claimedJob } from '../testing/jobs-parts.ts';

const LIMIT = 20_000;
let database: Awaited<ReturnType<typeof createTestDatabase>>;
let logs: Logs;
beforeAll(async () => {
  database = await createTestDatabase();
  logs = createLogs({ database, blobs: createBlobsInMemory(), log: pino({ level: 'silent' }) });
});
afterAll(async () => {
  await logs.close();
  await database.drop();
});

/** The log of a worker, as its order limits it, on its way into the log of its job. */
async function jobLog() {
  const { worker, row, identity, order } = await claimedJob(
    database,
    { maxLogBytes: LIMIT },
    { blobs: createBlobsInMemory(), logs },
  );
  const { limits } = order;
  let seq = 0;
  const send = (lines: readonly WorkerLine[]) => worker.log(identity, { seq: ++seq, lines: [...lines] });
  const log = new JobLog(
    {
      async log(lines) {
        await send(lines);
      },
    },
    new Masker(),
    limits.logBytes,
  );
  const texts = async () => (await logs.read(row.id, { limit: 100_000 })).lines.map(({ text }) => text);
  const bytes = async () => (await logs.stats([row.id])).get(row.id)?.bytes ?? 0;
  return { id: row.id, log, send, texts, bytes };
}
const CUT = 'what follows is not kept';

it('of a job that prints more than its plan allows, the last lines and the reason are kept', async () => {
  const { id, log, texts } = await jobLog();
  await logs.appendSystem(id, 'Started on local');
  log.system('Cloning');
  await log.add(
    'stdout',
    Array.from({ length: 5000 }, (_, n) => `€€€ line ${n}`),
  );
  await log.add('stderr', ['', 'why it failed']);
  log.system('The agent ended with exit code 1.');
  await log.drain();
  await logs.appendSystem(id, 'The job failed', { key: 'ended' });
  const all = await texts();
  expect(all).toContain(
    `The log has reached its limit of ${sizeInWords(LIMIT)}. From here only the last lines are kept.`,
  );
  expect(all.slice(-3)).toEqual(['', 'why it failed', 'The job failed']);
  const skipped = all.findIndex((text) => /^\d+ lines are left out here$/.test(text));
  expect(all[skipped + 1]).toMatch(/^€€€ line 48\d\d$/);
  expect(all[skipped - 1]).toBe('The agent ended with exit code 1.');
  expect(all.join('\n')).not.toContain(CUT);
});

it.each([
  ['empty lines', ''],
  ['lines of three bytes a character', '€'.repeat(300)],
])('%s are counted alike on both sides', async (_, text) => {
  const { log, texts, bytes } = await jobLog();
  for (let n = 0; n < 40; n += 1)
    await log.add(
      'stdout',
      Array.from({ length: 1000 }, () => text),
    );
  await log.drain();
  expect((await texts()).join('\n')).not.toContain(CUT);
  expect(await bytes()).toBeGreaterThan(LIMIT * 0.9);
  expect(await bytes()).toBeLessThan(LIMIT * 2.1);
});

it('what Hangar says without end is cut by the worker too, and its last word stays', async () => {
  const { log, texts } = await jobLog();
  for (let n = 0; n < 20_000; n += 1) log.system(`Artifact left out: file-${n}: more than 200 files`);
  log.system('The agent ended with exit code 0.');
  await log.drain();
  const all = await texts();
  expect(all.at(-1)).toBe('The agent ended with exit code 0.');
  expect(all.join('\n')).not.toContain(CUT);
});

it('a worker that does not keep to its limit meets the wall of the server', async () => {
  const { send, texts, bytes } = await jobLog();
  const line: WorkerLine = { at: new Date().toISOString(), stream: 'stdout', text: 'x'.repeat(1000) };
  for (let n = 0; n < 3; n += 1) await send(Array.from({ length: 1000 }, () => line));
  expect((await texts()).at(-1)).toContain(CUT);
  expect(await bytes()).toBeLessThan(1.1 * 1024 * 1024);
});
