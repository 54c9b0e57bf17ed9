import { HangarError } from '@hangar/contract';
import { z } from 'zod';
import { type Engine, EngineError } from './engine.ts';
import { isStatus } from './errors.ts';

/** A question that is not answered in this time was not heard: two in a row are told within half a minute. */
const LOOK_DEADLINE_MS = 7_000;
/** Between the end of a process that its machine took along, and the end of the machine. */
const STOP_PATIENCE_MS = 1_000;

/** What of the Engine a machine needs. */
export type MachineEngine = Pick<Engine, 'host' | 'isLocal' | 'json' | 'upgrade'>;

export type Seen =
  | { readonly kind: 'running' }
  /** It has not begun, or never will. */
  | { readonly kind: 'not begun' }
  | { readonly kind: 'ended'; readonly code: number | null; readonly hasRun: boolean }
  /** The Engine knows no such process. */
  | { readonly kind: 'unknown' }
  /** The Engine does not answer. */
  | { readonly kind: 'away' };

const Exec = z.object({ Running: z.boolean(), ExitCode: z.number().nullish(), Pid: z.number().catch(0) });
const Container = z.object({ State: z.object({ Running: z.boolean(), Paused: z.boolean().catch(false) }) });

/** What the Engine says of a process that was opened in a container. */
export async function lookAtExec(engine: MachineEngine, id: string, signal: AbortSignal): Promise<Seen> {
  try {
    const answer = await engine.json('GET', `/exec/${id}/json`, { signal, deadlineMs: LOOK_DEADLINE_MS });
    const { Running, ExitCode, Pid } = Exec.parse(answer);
    if (Running) return { kind: 'running' };
    if (ExitCode == null && Pid === 0) return { kind: 'not begun' };
    return { kind: 'ended', code: ExitCode ?? null, hasRun: Pid !== 0 };
  } catch (error) {
    signal.throwIfAborted();
    return { kind: isStatus(error, 404) ? 'unknown' : 'away' };
  }
}

/** Why nothing can be opened in a container; null when it runs. @throws HangarError when the Engine does not say */
export async function whyShut(
  engine: MachineEngine,
  container: string,
  signal: AbortSignal,
): Promise<HangarError | null> {
  try {
    const path = `/containers/${encodeURIComponent(container)}/json`;
    const { State } = Container.parse(await engine.json('GET', path, { signal, deadlineMs: LOOK_DEADLINE_MS }));
    if (!State.Running) return gone(container, 'has stopped');
    if (!State.Paused) return null;
    return new HangarError('sandbox_paused', { message: `The container ${container} is paused.` });
  } catch (error) {
    if (isStatus(error, 404)) return gone(container, 'is gone');
    throw asMachineError(error, engine.host);
  }
}

/**
 * Whether its machine ended with it. A container that stops kills what was opened in it first, and refuses what is opened
 * then, so for a moment it is still said to run: only after that can one tell.
 */
export async function endedWithMachine(
  engine: MachineEngine,
  container: string,
  signal: AbortSignal,
): Promise<HangarError | null> {
  const path = `/containers/${encodeURIComponent(container)}/wait`;
  try {
    const query = { condition: 'not-running' };
    await engine.json('POST', path, { query, signal, deadlineMs: STOP_PATIENCE_MS });
    return gone(container, 'has stopped');
  } catch (error) {
    signal.throwIfAborted();
    return isStatus(error, 404) ? gone(container, 'is gone') : null;
  }
}

/** What the Engine answered, as the error that says what to do. */
export function asMachineError(error: unknown, host: string): unknown {
  if (!(error instanceof EngineError)) return error;
  const told = { message: `Docker at ${host} opens no process: ${error.message}.`, cause: error };
  if (isStatus(error, 401, 403)) return new HangarError('driver_auth_failed', told);
  if (isStatus(error, 429, 503)) return new HangarError('driver_busy', told);
  if (/no space left on device|disk quota exceeded/i.test(error.message))
    return new HangarError('disk_full', { message: 'Docker has no space left on its disk.', cause: error });
  return new HangarError('driver_unavailable', told);
}

const gone = (container: string, how: string) =>
  new HangarError('sandbox_gone', { message: `The container ${container} ${how}.` });
