import { existsSync } from 'node:fs';
import { machineSuite } from '../testing/machine-suite.ts';
import { BUSYBOX, processBed } from '../testing/process-bed.ts';

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
