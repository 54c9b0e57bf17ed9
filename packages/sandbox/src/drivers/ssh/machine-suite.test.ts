import { machineSuite } from '../../testing/machine-suite.ts';
import { openMachineBed } from './testing/machine-bed.ts';
import { whyNoSshd } from './testing/sshd.ts';

const MIB = 1024 * 1024;

machineSuite('a machine behind ssh', () => openMachineBed(), { outputBytes: 24 * MIB, skip: whyNoSshd });
