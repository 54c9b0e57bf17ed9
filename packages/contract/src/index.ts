import { access } from './access.ts';
import { activity } from './activity.ts';
import { credentials } from './credentials.ts';
import { jobs } from './jobs.ts';
import { kubernetes } from './kubernetes.ts';
import { machines } from './machines.ts';
import { drivers, profiles } from './profiles.ts';
import { files } from './sandbox-files.ts';
import { sandboxes } from './sandboxes.ts';
import { system } from './system.ts';

/** Everything that can be asked of a Hangar server, apart from what stands in raw-operations.ts. */
export const contract = {
  ...{ system, access, profiles, drivers, credentials, jobs, sandboxes, files, machines, activity, kubernetes },
};
export type Contract = typeof contract;

export const VERSION = '0.1.0';

export * from './access.ts';
export * from './activity.ts';
export * from './addresses/proxy.ts';
export * from './addresses/repo-address.ts';
export * from './agents.ts';
export * from './credentials.ts';
export * from './errors.ts';
export * from './jobs.ts';
export * from './kubernetes.ts';
export * from './logs.ts';
export * from './machines.ts';
export * from './profiles.ts';
export * from './raw-operations.ts';
export * from './sandbox-files.ts';
export * from './sandboxes.ts';
export {
  type IdentityKind,
  metaOf,
  Name,
  type OperationMeta,
  Page,
  PEOPLE as PEOPLE_IDENTITIES,
  SandboxId,
  Time,
} from './shared.ts';
export * from './spec.ts';
export {
  EXECUTION_STATES,
  type ExecutionState as ExecutionStateName,
  FINAL_STATES,
  type FinalState,
  isClosed,
  isEnded,
  isFinal,
  JOB_PHASES,
  JOB_STATES,
  POD_SORTS,
  POD_STATES,
  SANDBOX_STATES,
  type SandboxState as SandboxStateName,
} from './state-words.ts';
export * from './system.ts';
export * from './terminals.ts';
export * from './text/path-bytes.ts';
export * from './text/quantities.ts';
export * from './text/spec-text.ts';
export { sizeInWords } from './words/size.ts';
export * from './worker/long-timer.ts';
export * from './worker/tree.ts';
export * from './worker/tree-files.ts';
export * from './worker/worker.ts';
export * from './worker/worker-limits.ts';
