import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { machineSuite } from '../testing/machine-suite.ts';
import { BUSYBOX, processBed } from '../testing/process-bed.ts';
import { openSandbox } from './sandbox.ts';

const MIB = 1024 * 1024;

machineSuite('sh of this machine', async () => processBed());

machineSuite('bash as sh, login shells that print banners', async () => processBed({ shell: 'bash', noisy: true }), {
  outputBytes: 8 * MIB,
  skip: existsSync('/bin/bash') ? null : 'there is no /bin/bash',
});

machineSuite('busybox', async () => processBed({ shell: 'busybox' }), {
  outputBytes: 16 * MIB,
  skip: BUSYBOX === null ? 'there is no busybox' : null,
});

machineSuite('streams of text', async () => processBed({ text: true, noisy: true }), { outputBytes: 24 * MIB });

// Each channel breaks after some hundred bytes to some hundred kilobytes, and now and then before it says anything.
machineSuite(
  'channels that break at random',
  async () => {
    const random = seeded(20_261_130);
    // Every third lives: a file of some megabytes goes over one or not at all.
    const after = () =>
      random() < 0.3 ? Number.POSITIVE_INFINITY : random() < 0.1 ? 0 : 300 + random() ** 3 * 400_000;
    return processBed({ breaks: after });
  },
  { outputBytes: 2 * MIB, breaks: true },
);

test('a clock that is a day ahead is told, and limits of time do not go by it', { timeout: 120_000 }, async () => {
  const bed = processBed({ aheadSeconds: 86_400 });
  try {
    const { platform, executions } = openSandbox(await bed.machine());
    const call = { signal: AbortSignal.timeout(90_000) };
    const skew = (await platform(call)).clockSkewMs;
    expect(skew).toBeGreaterThan(86_000_000);
    expect(skew).toBeLessThan(87_000_000);
    const run = async (id: string, timeoutMs: number, shell: string) => {
      const spec = { cwd: null, env: {}, user: null, stdin: 'none', terminal: null, graceMs: 300 } as const;
      const from = { stdout: 0, stderr: 0 };
      for await (const event of executions.run({ ...spec, id, timeoutMs, command: { shell } }, from, call))
        if (event.type === 'end') return event.result;
      return null;
    };
    expect(await run('x_short', 500, 'sleep 300')).toMatchObject({ reason: 'timeout', leftover: 0 });
    expect(await run('x_long', 3_600_000, 'date; sleep 0.3; exit 6')).toMatchObject({ reason: 'exited', exitCode: 6 });
  } finally {
    await bed.close();
  }
});

/** The same numbers each time (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
