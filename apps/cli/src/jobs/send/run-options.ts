import { GitRef, NewJob, Resources } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { sizeInWords } from '@hangar/contract/words/size';
import { formatSeconds } from '@hangar/contract/words/time';
import type { GlobalFlags } from '../../command.ts';
import { checkOptions } from '../../terminal/check-options.ts';

/** The options of hangar run, as they were given. */
export interface RunFlags extends GlobalFlags {
  readonly cloud: boolean;
  readonly spec?: string | undefined;
  readonly repo?: string | undefined;
  readonly ref?: string | undefined;
  readonly agent?: string | undefined;
  readonly agents?: readonly string[] | undefined;
  readonly times?: number | undefined;
  readonly group?: string | undefined;
  readonly on?: string | undefined;
  readonly in?: string | undefined;
  readonly credential?: string | undefined;
  readonly env?: readonly string[] | undefined;
  readonly envFile?: readonly string[] | undefined;
  readonly timeout?: number | undefined;
  readonly image?: string | undefined;
  readonly cpus?: number | undefined;
  readonly memory?: number | undefined;
  readonly title?: string | undefined;
  readonly bundle: boolean;
  readonly wait: boolean;
  readonly apply: boolean;
  readonly idempotencyKey?: string | undefined;
}

/** A sandbox is nowhere else. */
export const isOnServer = (flags: Pick<RunFlags, 'cloud' | 'in'>): boolean => flags.cloud || flags.in !== undefined;

/** What an open sandbox has already. */
const OF_THE_MACHINE = ['on', 'image', 'cpus', 'memory'] as const;

/**
 * Holds the options against the contract before anything is packed or sent.
 * @throws HangarError usage
 */
export function checkRunOptions(flags: RunFlags): void {
  const { shape } = NewJob;
  const both = OF_THE_MACHINE.filter((name) => flags[name] !== undefined).map((name) => `--${name}`);
  if (flags.in !== undefined && both.length > 0)
    throw new HangarError('usage', {
      message: `${both.join(', ')} and --in do not go together: the job works in the sandbox as that is.`,
      wayOut: `Leave out ${both.length === 1 ? 'one of them' : 'either'}.`,
    });
  checkOptions('run', [
    { flag: '--timeout', value: flags.timeout, schema: shape.timeoutSeconds, shown: formatSeconds },
    { flag: '--cpus', value: flags.cpus, schema: Resources.shape.cpus },
    { flag: '--memory', value: flags.memory, schema: Resources.shape.memoryBytes, shown: sizeInWords },
    { flag: '--title', value: flags.title, schema: shape.title },
    { flag: '--agent', value: flags.agent, schema: shape.agent },
    ...(flags.agents ?? []).map((agent) => ({ flag: '--agents', value: agent, schema: shape.agent })),
    { flag: '--group', value: flags.group, schema: shape.group },
    { flag: '--on', value: flags.on, schema: shape.profile },
    { flag: '--in', value: flags.in, schema: shape.sandbox },
    { flag: '--credential', value: flags.credential, schema: shape.credential },
    { flag: '--image', value: flags.image, schema: shape.image },
    { flag: '--idempotency-key', value: flags.idempotencyKey, schema: shape.idempotencyKey },
    // Here a ref is whatever git understands.
    { flag: '--ref', value: isOnServer(flags) ? flags.ref : undefined, schema: GitRef },
  ]);
}
