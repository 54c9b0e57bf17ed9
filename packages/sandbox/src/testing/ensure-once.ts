/** Makes a driver as a server does, makes sure of one unit and stays, until a test kills it. Its input is one line of JSON. */
import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import { z } from 'zod';
import type { Driver } from '../port/driver.ts';
import type { UnitSpec } from '../port/unit.ts';
import { profileWith } from './profile.ts';

const Input = z.object({
  module: z.string(),
  factory: z.string(),
  options: z.record(z.string(), z.unknown()),
  settings: z.record(z.string(), z.unknown()),
  secrets: z.record(z.string(), z.string()).default({}),
  spec: z.custom<UnitSpec>(),
});

const input = Input.parse(JSON.parse(await text(process.stdin)));
const module = await import(input.module);
const driver: Driver = module[input.factory]({ ...input.options, log: pino({ level: 'silent' }) });
const { units } = driver.forProfile(profileWith(input.settings, {}, input.secrets));
process.stdout.write('ready\n');
await units.ensure(input.spec, { signal: AbortSignal.timeout(60_000), say: () => {} });
process.stdout.write('made\n');
setInterval(() => {}, 60_000);
