import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createMarks } from './marks.ts';

/** What comes out of a filter, and the marks it told, of chunks as they come. */
async function through(chunks: Buffer[], make: ReturnType<typeof createMarks>) {
  const told: string[] = [];
  const filter = make.filter((kind, note) => told.push(`${kind}:${note}`));
  const out = filter.toArray();
  for (const chunk of chunks) filter.write(chunk);
  filter.end();
  return { out: Buffer.concat((await out) as Buffer[]), told, noise: filter.noise() };
}

it('takes out what a script printed and nothing else, wherever the chunks are cut', async () => {
  const marks = createMarks();
  const script = `${marks.print('start', '/dev/pts/3')}; printf 'a\\036hangar-\\036b'; code=7; ${marks.print('end', '$code')}; printf c`;
  const printed = Buffer.concat([Buffer.from('noise\x1ehangar'), execFileSync('sh', ['-c', script])]);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: printed.length }), { maxLength: 12 }), async (cuts) => {
      const at = [0, ...cuts.sort((a, b) => a - b), printed.length];
      const chunks = at.slice(1).map((end, index) => printed.subarray(at[index], end));
      const { out, told, noise } = await through(chunks, marks);
      expect(out.toString('latin1')).toBe('a\x1ehangar-\x1ebc');
      expect(told).toEqual(['start:/dev/pts/3', 'end:7']);
      expect(noise).toBe('noise\x1ehangar');
    }),
  );
});

it('keeps no more than a mark can be long, and what is longer is none', async () => {
  const marks = createMarks();
  const start = execFileSync('sh', ['-c', marks.print('start')]);
  const opening = start.subarray(0, start.indexOf('-', 8) + 1);
  const never = Buffer.concat([opening, Buffer.alloc(5_000, 'x'), Buffer.from('\x1e')]);
  const { out, told } = await through([start, never], marks);
  expect(out.equals(never)).toBe(true);
  expect(told).toEqual(['start:']);
});
