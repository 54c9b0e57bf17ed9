import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { tempFolders } from '../testing/fixtures.ts';
import { Spool } from './spool.ts';

const temp = tempFolders();
afterAll(() => temp.clean());
const never = new AbortController().signal;

test('what does not fit into memory goes to disk and comes back in order, and the disk is freed', async () => {
  const dir = join(temp.make(), 'spool');
  const spool = new Spool(dir);
  const batch = (seq: number) => Buffer.alloc(300 * 1024, `${seq % 10}`);
  for (let seq = 1; seq <= 100; seq++) await spool.push(seq, batch(seq), never);
  expect(readdirSync(dir).length).toBeGreaterThan(1);
  for (let seq = 1; seq <= 100; seq++) {
    const first = await spool.first();
    expect(first?.seq).toBe(seq);
    expect(first?.bytes.equals(batch(seq))).toBe(true);
    await spool.acknowledge(seq);
    if (seq === 50) await spool.push(101, batch(1), never);
  }
  expect((await spool.first())?.seq).toBe(101);
  await spool.acknowledge(101);
  expect(spool.size).toBe(0);
  await spool.close();
  expect(readdirSync(dir)).toEqual([]);
});

test('where nothing can be written, push waits for room in memory', async () => {
  const file = join(temp.make(), 'file');
  writeFileSync(file, '');
  const spool = new Spool(join(file, 'spool'));
  const bytes = Buffer.alloc(1024 * 1024);
  await spool.push(1, bytes, never);
  await spool.push(2, bytes, never);
  let through = false;
  const third = spool.push(3, bytes, never).then(() => {
    through = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(through).toBe(false);
  await spool.acknowledge(1);
  await third;
  expect(spool.size).toBe(2);
});
