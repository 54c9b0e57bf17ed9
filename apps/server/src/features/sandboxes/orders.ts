import type { NewExecution } from '@hangar/contract';
import type { ExecutionSpec } from '@hangar/sandbox';
import type { Sealing } from './needs.ts';
import type { SandboxesStore } from './store/sandboxes-store.ts';
import type { ExecutionRow, SandboxRow } from './store/sandboxes-tables.ts';

/** What is to be executed, as it was asked for: kept sealed, for commands hold secrets as often as environments. */
export type ExecutionOrder = Pick<
  NewExecution,
  'command' | 'cwd' | 'env' | 'user' | 'stdin' | 'terminal' | 'timeoutSeconds' | 'graceSeconds'
> & {
  /** Of a program of Hangar's own, which gets nothing of the environment that people set: all it reads. */
  readonly input?: string;
};

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
  const around: Pick<ExecutionSpec, 'cwd' | 'env' | 'stdin'> =
    asked.input === undefined
      ? {
          cwd: asked.cwd ?? sandbox.tree?.path ?? null,
          env: { ...environmentIn(sealing, sandbox.id, envSealed), ...ofJob(sandbox), ...asked.env },
          stdin: asked.stdin ? 'open' : 'none',
        }
      : { cwd: null, env: { ...asked.env }, stdin: { text: asked.input } };
  return {
    ...around,
    id: row.id,
    command: asked.command,
    user: asked.user ?? null,
    terminal: asked.terminal ?? null,
    timeoutMs: asked.timeoutSeconds === undefined ? null : asked.timeoutSeconds * 1000,
    graceMs: asked.graceSeconds * 1000,
  };
}

export const environmentIn = (
  sealing: Pick<Sealing, 'openEnvironment'>,
  sandboxId: string,
  sealed: string | null,
): Record<string, string> =>
  sealed === null ? {} : (JSON.parse(sealing.openEnvironment(sandboxId, sealed)) as Record<string, string>);

/** What the agent of its job had besides the environment that people set. */
const ofJob = ({ jobId, tree }: SandboxRow): Record<string, string> =>
  jobId === null || tree === null ? {} : { HANGAR_JOB_ID: jobId, HANGAR_ARTIFACTS: `${tree.folder}/artifacts` };
