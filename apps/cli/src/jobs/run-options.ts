import type { GlobalFlags } from '../command.ts';

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
