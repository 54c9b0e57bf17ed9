import { HangarError, type Resources } from '@hangar/contract';
import { parse } from 'yaml';
import { z } from 'zod';
import { holdCommand } from '../../../brought/hold.ts';
import { FILES_DIR, JOB_DIR, RUNTIME_DIR, TOKEN_DIR } from './files.ts';
import { LABEL } from './labels.ts';

const Labels = z.record(z.string(), z.string());
const Container = z.looseObject({
  name: z.string(),
  env: z.array(z.looseObject({ name: z.string() })).nullish(),
  resources: z
    .looseObject({
      limits: z.record(z.string(), z.unknown()).nullish(),
      requests: z.record(z.string(), z.unknown()).nullish(),
    })
    .nullish(),
  volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string() })).nullish(),
});
const Template = z.looseObject({
  apiVersion: z.literal('batch/v1'),
  kind: z.literal('Job'),
  metadata: z.looseObject({ labels: Labels.nullish() }).nullish(),
  spec: z.looseObject({
    template: z.looseObject({
      metadata: z.looseObject({ labels: Labels.nullish() }).nullish(),
      spec: z.looseObject({
        initContainers: z.array(Container).nullish(),
        containers: z
          .array(Container)
          .refine((all) => all.some(({ name }) => name === 'worker'), 'none is named worker'),
        volumes: z.array(z.looseObject({ name: z.string() })).nullish(),
      }),
    }),
  }),
});
/** A Job as the operator wants it, before Hangar fills it in. */
export type JobTemplate = z.infer<typeof Template>;
type Container = z.infer<typeof Container>;

/** @throws HangarError job_template_invalid, naming the place */
export function parseTemplate(text: string): JobTemplate {
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    const why = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : '';
    throw new HangarError('job_template_invalid', { message: `The job template is not YAML: ${why}`, cause });
  }
  const parsed = Template.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new HangarError('job_template_invalid', {
    message: `The job template is not right: ${issue?.path.join('.') || 'it'}: ${issue?.message}.`,
  });
}

export interface JobPlan {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Record<string, string>;
  readonly image: string;
  readonly pull: 'missing' | 'always' | 'never';
  readonly resources: Resources;
  readonly deadlineSeconds: number | null;
  readonly runs: PodRuns;
}

/** What the pod runs: a program that was brought, with all it needs, or a holder, which gets nothing of Hangar's. */
export type PodRuns =
  | {
      readonly kind: 'hold';
      /** Its time from when it runs; null: until it is told to end. */
      readonly seconds: number | null;
    }
  | {
      readonly kind: 'brought';
      /** Path of the program. */
      readonly program: string;
      readonly serverUrl: string;
      /** Brings Node along; null when the image has it. */
      readonly workerImage: string | null;
      /** ConfigMap with what is brought, and Secret with its input. */
      readonly files: string;
      readonly token: string;
    };

const PULL = { missing: 'IfNotPresent', always: 'Always', never: 'Never' } as const;
const MOUNTS = { files: 'hangar-files', runtime: 'hangar-runtime', token: 'hangar-token', job: 'job' } as const;

/** The Job to make: the template, with what Hangar owns set in it. */
export function jobFrom(template: JobTemplate, plan: JobPlan): object {
  const pod = template.spec.template.spec;
  const imagePullPolicy = PULL[plan.pull];
  const { runs } = plan;
  const brought = runs.kind === 'brought' ? runs : null;
  const worker = (container: Container) => ({
    ...container,
    ...{ image: plan.image, imagePullPolicy, args: undefined, workingDir: '/' },
    command:
      runs.kind === 'hold'
        ? holdCommand(runs)
        : ['/bin/sh', '-c', `exec /bin/sh ${FILES_DIR}/start "$1" <${TOKEN_DIR}/token`, 'hangar', runs.program],
    env: environmentOf(container, brought),
    resources: resourcesOf(container, plan.resources),
    volumeMounts: mountsOf(container, {
      ...(brought === null ? {} : { files: FILES_DIR, runtime: RUNTIME_DIR, token: TOKEN_DIR }),
      job: JOB_DIR,
    }),
    // The end of what it printed is kept with the pod: it tells why where the worker never spoke.
    ...{ terminationMessagePath: '/dev/termination-log', terminationMessagePolicy: 'FallbackToLogsOnError' },
  });
  const runtime = (container: Container, image: string) => ({
    ...container,
    ...{ image, imagePullPolicy, args: undefined, command: ['/bin/sh', `${FILES_DIR}/install`] },
    volumeMounts: mountsOf(container, { files: FILES_DIR, runtime: RUNTIME_DIR }),
    terminationMessagePolicy: 'FallbackToLogsOnError',
  });
  const initContainers = pod.initContainers ?? [];
  const first = initContainers.some(({ name }) => name === 'runtime') ? [] : [{ name: 'runtime' }];
  const labels = (own: Record<string, string> | null | undefined) => ({ ...own, ...LABEL.managed, ...plan.labels });
  return {
    ...template,
    metadata: {
      ...template.metadata,
      ...{ name: plan.name, namespace: plan.namespace, labels: labels(template.metadata?.labels) },
    },
    spec: {
      ...template.spec,
      ...{ backoffLimit: 0, completions: 1, parallelism: 1, podReplacementPolicy: 'Failed' },
      activeDeadlineSeconds: plan.deadlineSeconds ?? undefined,
      template: {
        ...template.spec.template,
        metadata: {
          ...template.spec.template.metadata,
          labels: labels(template.spec.template.metadata?.labels),
        },
        spec: {
          ...pod,
          restartPolicy: 'Never',
          initContainers: [...first, ...initContainers].flatMap((container) => {
            if (container.name !== 'runtime') return [container];
            const image = brought?.workerImage ?? null;
            return image === null ? [] : [runtime(container, image)];
          }),
          containers: pod.containers.map((container) => (container.name === 'worker' ? worker(container) : container)),
          volumes: [
            ...(pod.volumes ?? []).filter(({ name }) => !name.startsWith('hangar-')),
            ...(pod.volumes?.some(({ name }) => name === MOUNTS.job) ? [] : [{ name: MOUNTS.job, emptyDir: {} }]),
            ...(brought === null
              ? []
              : [
                  { name: MOUNTS.files, configMap: { name: brought.files, defaultMode: 0o444 } },
                  { name: MOUNTS.runtime, emptyDir: {} },
                  { name: MOUNTS.token, secret: { secretName: brought.token, defaultMode: 0o400 } },
                ]),
          ],
        },
      },
    },
  };
}

function environmentOf({ env }: Container, brought: Extract<PodRuns, { kind: 'brought' }> | null): object[] {
  const given = (env ?? []).filter(({ name }) => !/^HANGAR_WORKER_(URL|DIR)$/.test(name));
  if (brought !== null) {
    const own = [
      { name: 'HANGAR_WORKER_URL', value: brought.serverUrl },
      { name: 'HANGAR_WORKER_DIR', value: JOB_DIR },
    ];
    return [...given, ...own];
  }
  // The home of an account that the image does not know is `/`, where it may write nothing.
  return given.some(({ name }) => name === 'HOME') ? given : [...given, { name: 'HOME', value: JOB_DIR }];
}

function mountsOf(container: Container, own: Partial<Record<keyof typeof MOUNTS, string>>): object[] {
  const paths = Object.values(own);
  const kept = (container.volumeMounts ?? []).filter(({ mountPath }) => !paths.includes(mountPath));
  return [
    ...kept,
    ...Object.entries(own).map(([name, mountPath]) => ({
      ...{ name: MOUNTS[name as keyof typeof MOUNTS], mountPath },
      ...(name === 'files' || name === 'token' ? { readOnly: true } : {}),
    })),
  ];
}

/** What is asked for is both promised and the most it gets: a unit that is over it ends, and harms no other. */
function resourcesOf(container: Container, wanted: Resources): object {
  const asked = {
    ...(wanted.cpus === undefined ? {} : { cpu: `${Math.round(wanted.cpus * 1000)}m` }),
    ...(wanted.memoryBytes === undefined ? {} : { memory: String(wanted.memoryBytes) }),
  };
  return {
    ...container.resources,
    limits: { ...container.resources?.limits, ...asked },
    requests: { ...container.resources?.requests, ...asked },
  };
}
