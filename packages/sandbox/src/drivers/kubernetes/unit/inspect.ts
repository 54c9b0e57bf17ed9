import type { KubernetesSettings } from '@hangar/contract';
import { z } from 'zod';
import { BEFORE_NAMES, programInWords } from '../../../brought/programs.ts';
import type { UnitState } from '../../../port/unit.ts';
import { unless } from '../api/api.ts';
import { isAdmission, isQuota } from '../api/errors.ts';
import { LABEL } from './labels.ts';
import type { KubernetesParts, Place } from './parts.ts';
import type { PodSeen } from './pod.ts';
import { evictionOf, tidy, unitState } from './unit-state.ts';

/** A pod that does not get on for this long is asked about in the events. */
const WONDER_MS = 8_000;

const Job = z.object({
  metadata: z.object({
    creationTimestamp: z.string().catch(''),
    labels: z.record(z.string(), z.string()).catch({}),
  }),
  status: z
    .object({
      conditions: z
        .array(
          z.object({
            type: z.string(),
            status: z.string(),
            reason: z.string().catch(''),
            message: z.string().catch(''),
          }),
        )
        .catch([]),
    })
    .catch({ conditions: [] }),
});
const Events = z.object({
  items: z.array(
    z.object({
      type: z.string().catch(''),
      reason: z.string().catch(''),
      message: z.string().catch(''),
      lastTimestamp: z.string().nullish(),
      metadata: z.object({ creationTimestamp: z.string().catch('') }),
    }),
  ),
});
/** FailureTarget and SuccessCriteriaMet: decided, while its pod still ends. */
const OVER = /^(Failed|Complete|FailureTarget|SuccessCriteriaMet)$/;

/** What the cluster says of a unit: the pod first, from the watch; then the Job itself; events where neither says why. */
export function createInspection(
  parts: Pick<KubernetesParts, 'watches' | 'files' | 'launching'> & { readonly settings: KubernetesSettings },
) {
  const { settings } = parts;
  const podsOf = ({ connection, namespace }: Place) => parts.watches.in(connection.api, namespace);

  async function stateOf(name: string, here: Place, signal: AbortSignal): Promise<UnitState> {
    const pods = await podsOf(here).of(name, signal);
    // Two only while one of them is on its way out.
    const pod = pods.find((one) => !one.isTerminating) ?? pods[0];
    if (!pod) return ofJob(name, here, signal);
    const state = await ofPod(pod, here, signal);
    // It ended because it is being removed: the Job knows whether that is for its deadline.
    if (state.kind !== 'exited' || state.code !== undefined || !pod.isTerminating) return state;
    const ofIts = await ofJob(name, here, signal);
    return ofIts.kind === 'exited' && ofIts.code === 'job_timeout' ? { ...ofIts, exitCode: state.exitCode } : state;
  }

  /** What the cluster complained of about an object, the newest last. Empty where this server may not see it. */
  async function complaints(kind: string, name: string, here: Place, signal: AbortSignal) {
    const query = { fieldSelector: `involvedObject.kind=${kind},involvedObject.name=${name}`, limit: '50' };
    const answer = await unless(
      403,
      here.connection.api.json('GET', `/api/v1/namespaces/${here.namespace}/events`, { query, signal }),
    );
    const parsed = Events.safeParse(answer);
    const bad = (parsed.success ? parsed.data.items : []).filter(({ type }) => type === 'Warning');
    const when = (event: (typeof bad)[number]) => event.lastTimestamp || event.metadata.creationTimestamp;
    return bad.sort((a, b) => when(a).localeCompare(when(b)));
  }
  const warning = async (kind: string, name: string, here: Place, signal: AbortSignal): Promise<string | null> =>
    (await complaints(kind, name, here, signal)).at(-1)?.message ?? null;

  async function ofPod(pod: PodSeen, here: Place, signal: AbortSignal): Promise<UnitState> {
    const waitedMs = Date.now() - pod.createdAt;
    const startMs = settings.startSeconds * 1000;
    const state = unitState(pod, { waitedMs, startMs });
    if (state.kind === 'exited' && state.code === undefined && !state.outOfMemory) {
      // Of a worker that ended well when it was told to stop, the kubelet forgets that it was evicted; its event does not.
      const evicted = (await complaints('Pod', pod.name, here, signal)).find(({ reason }) => reason === 'Evicted');
      return evicted ? { ...state, code: 'worker_evicted', reason: evictionOf(evicted.message) } : state;
    }
    const isStuck = state.kind === 'starting' && pod.node !== '' && !pod.waiting && !pod.isTerminating;
    if (!isStuck || waitedMs < WONDER_MS) return state;
    const said = await warning('Pod', pod.name, here, signal);
    // Somebody tidied the ConfigMap away; the kubelet finds the new one by itself.
    if (said && /hangar-files-/.test(said))
      await parts.files.ensure(here.connection.api, here.namespace, { signal, again: true });
    return unitState(pod, { waitedMs, startMs, warning: said });
  }

  /** The API server is asked for the Job itself: only its own word proves that there is none. */
  async function ofJob(name: string, here: Place, signal: AbortSignal): Promise<UnitState> {
    const answer = await unless(
      404,
      here.connection.api.json('GET', `/apis/batch/v1/namespaces/${here.namespace}/jobs/${name}`, { signal }),
    );
    if (answer === null) {
      return parts.launching.has(name)
        ? { kind: 'starting', reason: 'Making the Kubernetes job' }
        : { kind: 'missing' };
    }
    const { metadata, status } = Job.parse(answer);
    const over = status.conditions.find(({ type, status: is }) => OVER.test(type) && is === 'True');
    const waitedMs = Date.now() - (Date.parse(metadata.creationTimestamp) || Date.now());
    if (over) {
      const last = podsOf(here).lastOf(name);
      const seen = last && unitState(last, { waitedMs, startMs: Number.POSITIVE_INFINITY });
      if (seen?.kind === 'exited' && over.reason !== 'DeadlineExceeded') return seen;
      const ended = {
        kind: 'exited',
        exitCode: /^(Complete|Success)/.test(over.type) ? 0 : null,
        outOfMemory: false,
      } as const;
      if (over.reason === 'DeadlineExceeded') {
        return { ...ended, code: 'job_timeout', reason: 'It ran for longer than Kubernetes was told to let it' };
      }
      const what = programInWords(metadata.labels[LABEL.program] ?? BEFORE_NAMES);
      if (/^(Complete|Success)/.test(over.type)) return { ...ended, reason: `${what} has ended` };
      return { ...ended, code: 'worker_evicted', reason: 'Its pod was removed from the cluster' };
    }
    const said = waitedMs < 1_000 ? null : await warning('Job', name, here, signal);
    return said === null
      ? { kind: 'starting', reason: 'The Kubernetes job is made' }
      : refusedPod(said, waitedMs, here);
  }

  /** A Job whose pod the cluster does not let it make. */
  function refusedPod(said: string, waitedMs: number, { namespace }: Place): UnitState {
    const why = tidy(said.replace(/^Error creating: /, ''));
    const isLate = waitedMs > settings.startSeconds * 1000;
    const ended = { kind: 'exited', exitCode: null, outOfMemory: false } as const;
    if (isQuota(why)) {
      const reason = `A quota of namespace ${namespace} refuses it: ${why}`;
      return isLate ? { ...ended, code: 'quota_refused', reason } : { kind: 'starting', reason };
    }
    if (isAdmission(why))
      return { ...ended, code: 'admission_refused', reason: `A rule of the cluster refuses it: ${why}` };
    const reason = `Kubernetes cannot make its pod: ${why}`;
    return isLate ? { ...ended, code: 'launch_failed', reason } : { kind: 'starting', reason };
  }

  return { stateOf, warning };
}
