/** Makes a driver as a server does, launches one job and stays, until a test kills it. Its input is one line of JSON. */
import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import { z } from 'zod';

const Input = z.object({
  module: z.string(),
  factory: z.string(),
  options: z.record(z.string(), z.unknown()),
  settings: z.record(z.string(), z.unknown()),
  request: z.record(z.string(), z.unknown()),
});

const input = Input.parse(JSON.parse(await text(process.stdin)));
const module = await import(input.module);
const driver = module[input.factory]({ ...input.options, log: pino({ level: 'silent' }) });
const launcher = driver.forProfile({ name: 'test', settings: input.settings, limits: {} });
process.stdout.write('ready\n');
await launcher.launch(input.request, { signal: AbortSignal.timeout(60_000), say: () => {} });
process.stdout.write('launched\n');
setInterval(() => {}, 60_000);
