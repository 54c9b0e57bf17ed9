import { z } from 'zod';
import { read, SandboxId, Time } from './shared.ts';

const count = z.number().nullable();
const Tool = z
  .string()
  .nullable()
  .describe('First line of what it says about its version, "" where it says nothing; null where it is missing');

/** What the machine of a sandbox is. Null: it does not say. */
export const MachinePlatform = z.object({
  os: z.string(),
  arch: z.string().describe('As the kernel says it: x86_64, aarch64'),
  kernel: z.string(),
  distribution: z.string().nullable().describe('Like "Debian GNU/Linux 12 (bookworm)"'),
  home: z.string(),
  uid: z.number().int(),
  user: z.string(),
  cpus: count.describe('Cores that may be used'),
  memoryBytes: count,
  diskBytes: count.describe('Of the file system of the home folder'),
  diskFreeBytes: count,
  tools: z.record(z.string(), Tool),
  clockSkewMs: z.number().describe('How far its clock is before that of the server'),
});
export type MachinePlatform = z.infer<typeof MachinePlatform>;

/** What a machine has and uses, as it was looked at. Null: this backend does not say. */
export const MachineLoad = z.object({
  at: Time,
  elapsedMs: z.number().int().describe('Since the machine of the sandbox has run'),
  cpus: count.describe('Cores in use since the look before; null on the first'),
  cpusMost: count,
  memoryBytes: count,
  memoryMost: count,
  diskBytes: count,
  diskMost: count,
});
export type MachineLoad = z.infer<typeof MachineLoad>;

/** Why a look at a machine answered nothing; the next may. */
export const MachineAway = z.object({ code: z.string(), message: z.string(), wayOut: z.string() });
export type MachineAway = z.infer<typeof MachineAway>;

export const SandboxQuery = z.object({ sandbox: SandboxId });

export const machines = {
  platform: read('sandbox show {sandbox} --resources')
    .route({ method: 'GET', path: '/drivers/platform', summary: 'What the machine of a sandbox is, and has' })
    .input(SandboxQuery)
    .output(MachinePlatform),
};
