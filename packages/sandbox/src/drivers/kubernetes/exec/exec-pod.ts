import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError } from '@hangar/contract';
import type { CallOptions } from '../../../port/call.ts';
import { ApiError, unless } from '../api/api.ts';
import type { Place } from '../unit/parts.ts';
import { type PodSeen, readPod } from '../unit/pod.ts';
import type { Pods } from '../unit/pods.ts';
import { tidy, unitState } from '../unit/unit-state.ts';

/** A question that is not answered in this time was not heard. */
const LOOK_DEADLINE_MS = 5_000;
/** How long the watch is listened to before it is asked for again, so that nobody takes it for idle. */
const LISTEN_MS = 60_000;
const BEFORE_ASKING_AGAIN_MS = 2_000;

/** The pod that processes are opened in. */
export interface ExecPod {
  readonly name: string;
  readonly uid: string;
  /** Why nothing runs in it any more; null while something may. @throws HangarError when the cluster does not say */
  whyShut(o: CallOptions): Promise<HangarError | null>;
  /** Resolves once the cluster says that it has ended, and why. @throws the signal's reason */
  ended(o: CallOptions): Promise<HangarError>;
}

/** @param o.place asked anew each time: credentials and addresses change while a pod lives */
export function createExecPod(o: {
  readonly pod: PodSeen;
  readonly place: () => Promise<Place>;
  readonly podsOf: (here: Place) => Pods;
}): ExecPod {
  const { name, uid, unit } = o.pod;

  async function whyShut({ signal }: CallOptions): Promise<HangarError | null> {
    try {
      const { connection, namespace } = await o.place();
      const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
      const answer = await unless(404, connection.api.json('GET', path, { signal, deadlineMs: LOOK_DEADLINE_MS }));
      const seen = readPod(answer);
      return seen === null || seen.uid !== uid ? gone(`The pod ${name} is gone.`) : whyOver(seen);
    } catch (error) {
      throw asMachineError(error, 'pods');
    }
  }

  return {
    ...{ name, uid },
    whyShut,
    async ended({ signal }) {
      const isOver = (pods: readonly PodSeen[]) => !pods.some((pod) => pod.uid === uid && whyOver(pod) === null);
      for (;;) {
        try {
          const pods = o.podsOf(await o.place());
          if (!(await pods.until(unit, isOver, { ms: LISTEN_MS, signal }))) continue;
          // What a watch held may be old.
          const why = await whyShut({ signal });
          if (why !== null) return why;
        } catch {
          signal.throwIfAborted();
        }
        await sleep(BEFORE_ASKING_AGAIN_MS, undefined, { signal });
      }
    },
  };
}

/** Whether processes can be opened in it. */
export const isOpen = (pod: PodSeen): boolean => pod.workerRuns && whyOver(pod) === null;

function whyOver(pod: PodSeen): HangarError | null {
  const state = unitState(pod, { waitedMs: 0, startMs: Number.POSITIVE_INFINITY });
  if (state.kind === 'exited') return gone(`The pod ${pod.name} has ended: ${state.reason}.`);
  return pod.isTerminating ? gone(`The pod ${pod.name} is being removed.`) : null;
}

/** What this server must be allowed to do with what. */
const RIGHTS = { pods: 'get, list and watch', 'pods/exec': 'get and create' } as const;

/** What the API server refused, as the error that says what to do. @param resource what it was asked for */
export function asMachineError(error: unknown, resource: keyof typeof RIGHTS): unknown {
  if (!(error instanceof ApiError)) return error;
  const { status } = error;
  const said = tidy(error.message);
  const told = { message: `Kubernetes opens no process: ${said}.`, cause: error };
  if (status === 401)
    return new HangarError('driver_auth_failed', { ...told, wayOut: 'Renew the credentials of the kubeconfig.' });
  // What is no answer of Kubernetes is that of the handshake, which knows other protocols only.
  if (status === 403 && error.reason === '' && /protocol/i.test(said)) {
    return new HangarError('unsupported', {
      message: `The cluster opens no process whose input has an end: ${said}.`,
      wayOut: 'Use a cluster of Kubernetes 1.30 or newer.',
      cause: error,
    });
  }
  if (status === 403) {
    return new HangarError('driver_auth_failed', {
      ...told,
      message: `The cluster does not let this server reach ${resource}: ${said}.`,
      wayOut: `Give its account the verbs ${RIGHTS[resource]} on ${resource}, as the Role of deploy/k8s does. Run: hangar profiles test NAME`,
    });
  }
  if (status === 414 || status === 431) {
    const wayOut = 'Let what stands before the API server take addresses of 32 KiB: the command is part of them.';
    return new HangarError('driver_unavailable', { ...told, wayOut });
  }
  if (status === 429) return new HangarError('driver_busy', { ...told, details: { retryAfterMs: 5_000 } });
  return new HangarError('driver_unavailable', told);
}

const gone = (message: string) => new HangarError('sandbox_gone', { message });
