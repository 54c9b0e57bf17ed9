import type { Sandbox } from '@daytona/sdk';
import { type ErrorCode, HangarError } from '@hangar/contract';
import type { UnitState } from '../../port/unit.ts';
import { told } from './errors.ts';

/** On sandboxes that were ended, not paused: both are stopped to Daytona. */
export const ENDED = 'hangar.ended';

export type SeenSandbox = Pick<Sandbox, 'state' | 'labels' | 'errorReason' | 'name'>;

const STARTING: Readonly<Record<string, string>> = {
  creating: 'making the sandbox',
  restoring: 'restoring the sandbox',
  starting: 'starting the sandbox',
  resuming: 'resuming the sandbox',
  pending_build: 'waiting for the image to be built',
  building_snapshot: 'building the image',
  pulling_snapshot: 'pulling the image',
  forking: 'copying the sandbox',
  snapshotting: 'taking a snapshot of the sandbox',
  resizing: 'changing the size of the sandbox',
};

/** @throws HangarError driver_unavailable for a state that is not known here: it proves nothing */
export function unitState(sandbox: SeenSandbox): UnitState {
  const { state = 'unknown', labels } = sandbox;
  const reason = STARTING[state];
  if (reason !== undefined) return { kind: 'starting', reason };
  switch (state) {
    case 'started':
    case 'stopping':
    case 'pausing':
      return { kind: 'running' };
    case 'stopped':
    case 'paused':
    case 'archiving':
    case 'archived':
      return labels[ENDED] === undefined ? { kind: 'paused' } : ended('It was stopped.');
    case 'destroying':
      return ended('The sandbox is being deleted.');
    case 'destroyed':
      return { kind: 'missing' };
    case 'error':
    case 'build_failed': {
      const { code, message } = failureOf(sandbox, '');
      return { ...ended(message), code };
    }
    default:
      throw new HangarError('driver_unavailable', {
        message: `Daytona says of the sandbox ${sandbox.name} that its state is ${told(state, '')}.`,
      });
  }
}

const ended = (reason: string) => ({ kind: 'exited', exitCode: null, outOfMemory: false, reason }) as const;

export const hasFailed = ({ state }: SeenSandbox): boolean => state === 'error' || state === 'build_failed';

/** Why a sandbox never ran. Daytona tells causes apart by text only. */
export function failureOf({ state, errorReason, name }: SeenSandbox, key: string): HangarError {
  const text = told(errorReason ?? 'Daytona gives no reason.', key);
  const code: ErrorCode =
    /(image|manifest|snapshot|repository|registry).*(not found|unknown|denied|does not exist|no such)|pull access denied|failed to (pull|resolve)/i.test(
      text,
    )
      ? 'image_not_found'
      : /no space left/i.test(text)
        ? 'disk_full'
        : state === 'build_failed'
          ? 'image_unsuitable'
          : 'launch_failed';
  return new HangarError(code, { message: `The sandbox ${name} could not be made: ${text}` });
}
