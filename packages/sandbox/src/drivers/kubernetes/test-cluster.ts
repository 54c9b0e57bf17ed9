import { randomBytes } from 'node:crypto';
import { HangarError, type KubernetesSettings, type ProfileCheck } from '@hangar/contract';
import { z } from 'zod';
import { readProbe } from '../../brought/probe.ts';
import { PROBE } from '../../brought/programs.ts';
import { asHangarError } from './api/errors.ts';
import { LABEL } from './unit/labels.ts';
import { type KubernetesParts, type Place, serverUrl, type Unit } from './unit/parts.ts';
import type { PodSeen } from './unit/pod.ts';
import type { Pods } from './unit/pods.ts';
import { unitState } from './unit/unit-state.ts';

const PROBE_MS = 75_000;

/** What the driver does in a namespace: exactly what deploy/k8s grants. */
export const NEEDS = [
  ...['create', 'get', 'list', 'delete'].map((verb) => ({ verb, group: 'batch', resource: 'jobs' })),
  ...['get', 'list', 'watch', 'delete'].map((verb) => ({ verb, group: '', resource: 'pods' })),
  { verb: 'get', group: '', resource: 'pods', subresource: 'log' },
  ...['create', 'delete'].map((verb) => ({ verb, group: '', resource: 'secrets' })),
  ...['create', 'list', 'delete'].map((verb) => ({ verb, group: '', resource: 'configmaps' })),
  { verb: 'list', group: '', resource: 'events' },
] as const;

/** And to open processes in the pods of sandboxes: a WebSocket is asked for by GET, and since 1.35 wants `create` as well. */
const NEEDS_OF_SANDBOXES = ['get', 'create'].map((verb) => ({
  verb,
  group: '',
  resource: 'pods',
  subresource: 'exec',
}));

interface Parts extends KubernetesParts {
  readonly settings: KubernetesSettings;
  readonly place: () => Promise<Place>;
  readonly bodyOf: (unit: Unit, here: Place) => Promise<object>;
  readonly make: (unit: Unit, here: Place, signal: AbortSignal) => Promise<void>;
  readonly removeUnit: (name: string, here: Place, signal: AbortSignal) => Promise<void>;
  readonly podsOf: (here: Place) => Pods;
  readonly warning: (kind: string, name: string, here: Place, signal: AbortSignal) => Promise<string | null>;
  readonly signal: AbortSignal;
}

const Version = z.object({ gitVersion: z.string(), platform: z.string().catch('') });
const Review = z.object({ status: z.object({ allowed: z.boolean() }) });

/** Cluster, rights, template, then a job that is made exactly like all others, with the probe in it. */
export async function testCluster(parts: Parts): Promise<ProfileCheck[]> {
  const { settings, signal } = parts;
  const checks: ProfileCheck[] = [];
  let namespace = settings.namespace ?? '';
  const step = async (name: string, work: () => Promise<string>): Promise<boolean> => {
    try {
      checks.push({ name, ok: true, detail: await work(), wayOut: null });
      return true;
    } catch (error) {
      signal.throwIfAborted();
      const mapped = asHangarError(error, { doing: `it (${name.toLowerCase()})`, namespace });
      const known = mapped instanceof HangarError ? mapped : new HangarError('launch_failed', { cause: error });
      checks.push({ name, ok: false, detail: known.message, wayOut: known.wayOut });
      return false;
    }
  };

  const places: Place[] = [];
  const reached = await step('Cluster', async () => {
    const here = await parts.place();
    places.push(here);
    namespace = here.namespace;
    const { gitVersion } = Version.parse(
      await here.connection.api.json('GET', '/version', { signal, deadlineMs: 10_000 }),
    );
    const how = here.connection.context === null ? 'its own cluster' : `context ${here.connection.context}`;
    return `Kubernetes ${gitVersion}, ${how}, namespace ${namespace}`;
  });
  const [here] = places;
  if (!reached || !here) return checks;
  if (!(await step('Rights', () => rights(NEEDS, here, signal)))) return checks;
  // Jobs run without them.
  await step('Rights of sandboxes', () => rights(NEEDS_OF_SANDBOXES, here, signal));
  const reachable = await step('Address of this server', async () => serverUrl(settings, parts.brought));
  if (!reachable) return checks;

  const unit = probeOf(parts, settings);
  const { name } = unit;
  const accepted = await step('Job template', async () => {
    await tryJob(await parts.bodyOf(unit, here), here, signal);
    return 'Kubernetes takes it';
  });
  if (!accepted) return checks;

  try {
    let output = '';
    const started = await step('Worker starts', async () => {
      await parts.make(unit, here, signal);
      output = await outputOf(here);
      const result = readProbe(output);
      if (!result) throw new HangarError('launch_failed', { message: 'The probe printed nothing.' });
      if (!result.token) throw new HangarError('launch_failed', { message: 'The token did not arrive.' });
      return `Node ${result.node}, as user ${result.user}, in ${unit.image}`;
    });
    const result = started ? readProbe(output) : null;
    if (result) {
      const about = (ok: string, problem: string | null, wayOut: string) => async () => {
        if (problem !== null) throw new HangarError('launch_failed', { message: problem, wayOut });
        return ok;
      };
      await step(
        'Git',
        about(result.git ?? '', result.git ? null : 'There is no git in the image.', 'Use an image with git.'),
      );
      const writable = 'Give the volume job of the template a folder its user may write to.';
      await step('Work folder', about('It can be written.', result.folder, writable));
      const address =
        'Set HANGAR_PUBLIC_URL, or serverUrl in the profile, to an address pods reach; look for network policies.';
      await step('Server reached', about('The worker reaches this server.', result.server, address));
    }
  } finally {
    await parts.removeUnit(name, here, AbortSignal.timeout(60_000)).catch((error: unknown) => {
      parts.log.info({ err: error, name }, 'a probe is left; the sweep removes it');
    });
  }
  return checks;

  async function outputOf(at: Place): Promise<string> {
    const pods = parts.podsOf(at);
    const stateOf = (pod: PodSeen) =>
      unitState(pod, { waitedMs: Date.now() - pod.createdAt, startMs: settings.startSeconds * 1000 });
    const isOver = (seen: readonly PodSeen[]) => seen.some((pod) => stateOf(pod).kind === 'exited');
    const over = await pods.until(name, isOver, { ms: PROBE_MS, signal });
    const [pod] = await pods.of(name, signal);
    if (!pod) {
      const why = await parts.warning('Job', name, at, signal);
      throw new HangarError('launch_failed', { message: `Kubernetes made no pod${why ? `: ${why}` : ''}.` });
    }
    const state = stateOf(pod);
    if (state.kind !== 'exited' || !over) {
      const why = state.kind === 'starting' ? state.reason : 'The probe does not end';
      throw new HangarError('launch_failed', { message: `${why}.` });
    }
    if (state.exitCode !== 0) throw new HangarError(state.code ?? 'launch_failed', { message: `${state.reason}.` });
    const query = { container: 'worker', tailLines: '50' };
    return at.connection.api.text(`/api/v1/namespaces/${at.namespace}/pods/${pod.name}/log`, { query, signal });
  }
}

/** A unit that runs the probe. */
export function probeOf(
  { brought, workerImage }: Pick<KubernetesParts, 'brought' | 'workerImage'>,
  settings: KubernetesSettings,
): Unit {
  const name = `hangar-test-${randomBytes(6).toString('hex')}`;
  return {
    ...{ name, image: settings.image ?? workerImage, program: { kind: 'brought', name: PROBE, input: 'probe' } },
    labels: { [LABEL.instance]: brought.instanceId, [LABEL.unit]: name, [LABEL.program]: PROBE, [LABEL.test]: '1' },
    ...{ resources: {}, ownSeconds: 300, deadlineSeconds: 300 },
  };
}

/** The API server looks at a Job as if it were to be made. @throws ApiError */
export async function tryJob(body: object, { connection, namespace }: Place, signal: AbortSignal): Promise<void> {
  const query = { dryRun: 'All', fieldValidation: 'Strict' };
  await connection.api.json('POST', `/apis/batch/v1/namespaces/${namespace}/jobs`, { body, query, signal });
}

/** The API server itself says what this server may do. @throws HangarError cluster_forbidden, naming all that is missing */
async function rights(
  needs: readonly { verb: string; group: string; resource: string; subresource?: string }[],
  { connection, namespace }: Place,
  signal: AbortSignal,
): Promise<string> {
  const missing: string[] = [];
  for (const { verb, group, resource, subresource = '' } of needs) {
    const body = {
      ...{ apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview' },
      spec: { resourceAttributes: { namespace, verb, group, resource, subresource } },
    };
    const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
    const { status } = Review.parse(await connection.api.json('POST', path, { body, signal }));
    if (!status.allowed) missing.push(`${verb} ${resource}${subresource ? `/${subresource}` : ''}`);
  }
  if (missing.length === 0) return `All ${needs.length} that it needs`;
  throw new HangarError('cluster_forbidden', {
    message: `This server may not ${missing.join(', ')} in namespace ${namespace}.`,
  });
}
