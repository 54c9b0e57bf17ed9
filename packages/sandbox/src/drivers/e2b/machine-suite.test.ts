import { machineSuite } from '../../testing/machine-suite.ts';
import { fakeBed } from './testing/bed.ts';

const MIB = 1024 * 1024;

machineSuite('a sandbox of E2B', fakeBed, { outputBytes: 3 * MIB });
