import type { NewExecution } from '@hangar/contract';
import type { ExecutionSpec } from '@hangar/sandbox';
import type { Sealing } from './needs.ts';
import type { SandboxesStore } from './store/sandboxes-store.ts';
import type { ExecutionRow, SandboxRow } from './store/sandboxes-tables.ts';

/** What is to be executed, as it was asked for: kept sealed, for commands hold secrets as often as environments. */
export type ExecutionOrder = Pick<
  NewExecution,
  'command' | 'cwd' | 'env' | 'user' | 'stdin' | 'terminal' | 'timeoutSeconds' | 'graceSeconds'
>;

export interface OrdersOf {
  readonly store: Pick<SandboxesStore, 'orderOf' | 'envOf'>;
  readonly sealing: Sealing;
}

/** An execution as its machine is told. */
export async function specOf(
  { store, sealing }: OrdersOf,
  sandbox: SandboxRow,
  row: ExecutionRow,
): Promise<ExecutionSpec> {
  const [order, envSealed] = await Promise.all([store.orderOf(row.id), store.envOf(sandbox.id)]);
  const asked = JSON.parse(sealing.openOrder(row.id, order)) as ExecutionOrder;
  const env =
    envSealed === null ? {} : (JSON.parse(sealing.openEnvironment(sandbox.id, envSealed)) as Record<string, string>);
  return {
    ...{
      id: row.id,
      command: asked.command,
      cwd: asked.cwd ?? sandbox.tree?.path ?? null,
      env: { ...env, ...ofJob(sandbox), ...asked.env },
      user: asked.user ?? null,
    },
    ...{ stdin: asked.stdin ? 'open' : 'none', terminal: asked.terminal ?? null },
    timeoutMs: asked.timeoutSeconds === undefined ? null : asked.timeoutSeconds * 1000,
    graceMs: asked.graceSeconds * 1000,
  };
}

/** What the agent of its job had besides the environment that people set. */
const ofJob = ({ jobId, tree }: SandboxRow): Record<string, string> =>
  jobId === null || tree === null ? {} : { HANGAR_JOB_ID: jobId, HANGAR_ARTIFACTS: `${tree.folder}/artifacts` };
