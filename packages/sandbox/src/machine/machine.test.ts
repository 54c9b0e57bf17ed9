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
