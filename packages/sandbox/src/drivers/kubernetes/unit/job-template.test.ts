import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type JobPlan, jobFrom, parseTemplate } from './job-template.ts';

const STANDARD = readFileSync(new URL('../../../../../../deploy/k8s/job-template.yaml', import.meta.url), 'utf8');
const plan: JobPlan = {
  ...{ name: 'hangar-j-1-1', namespace: 'jobs', labels: { 'hangar.dev/job': 'j_1' }, image: 'theirs:1' },
  ...{ pull: 'missing', resources: { cpus: 0.5, memoryBytes: 1024 ** 3 }, deadlineSeconds: 600 },
  runs: {
    ...{ kind: 'brought', program: '/p', serverUrl: 'https://hangar.example', workerImage: 'node:24' },
    ...{ files: 'f', token: 't' },
  },
};

test('the standard template makes a job that the restricted level takes', () => {
  const job = jobFrom(parseTemplate(STANDARD), plan);
  expect(job).toMatchObject({
    metadata: { name: 'hangar-j-1-1', namespace: 'jobs', labels: { 'hangar.dev/job': 'j_1' } },
    spec: {
      ...{ backoffLimit: 0, activeDeadlineSeconds: 600, ttlSecondsAfterFinished: 86_400 },
      template: {
        metadata: { labels: { 'hangar.dev/job': 'j_1', 'app.kubernetes.io/managed-by': 'hangar' } },
        spec: {
          ...{ restartPolicy: 'Never', automountServiceAccountToken: false },
          securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
          initContainers: [{ name: 'runtime', image: 'node:24', securityContext: { allowPrivilegeEscalation: false } }],
          containers: [
            {
              ...{ name: 'worker', image: 'theirs:1', imagePullPolicy: 'IfNotPresent' },
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
              resources: {
                limits: { cpu: '500m', memory: '1073741824' },
                requests: { cpu: '500m', memory: '1073741824', 'ephemeral-storage': '256Mi' },
              },
            },
          ],
        },
      },
    },
  });
  expect(JSON.stringify(job)).not.toContain('"token":');
});

test('no init container where the image has Node', () => {
  const job = jobFrom(parseTemplate(STANDARD), {
    ...plan,
    runs: { ...plan.runs, workerImage: null } as JobPlan['runs'],
  });
  expect(job).toMatchObject({ spec: { template: { spec: { initContainers: [] } } } });
});

test('a machine in hand gets the template, and nothing of Hangar’s but its first process', () => {
  const job = jobFrom(parseTemplate(STANDARD), {
    ...plan,
    deadlineSeconds: null,
    runs: { kind: 'hold', seconds: null },
  });
  expect(job).toMatchObject({
    spec: {
      template: {
        spec: {
          ...{ restartPolicy: 'Never', securityContext: { runAsNonRoot: true }, initContainers: [] },
          containers: [
            {
              ...{
                name: 'worker',
                image: 'theirs:1',
                env: [{ name: 'HOME', value: '/job' }],
                command: ['/bin/sh', '-c', expect.any(String), 'hangar-hold'],
              },
              volumeMounts: [{ name: 'job', mountPath: '/job' }],
            },
          ],
          volumes: [{ name: 'job' }],
        },
      },
    },
  });
  expect(JSON.parse(JSON.stringify(job)).spec).not.toHaveProperty('activeDeadlineSeconds');
  expect(JSON.stringify(job)).not.toMatch(/HANGAR_WORKER|hangar-files|hangar-token/);
});

test('a machine in hand keeps the home of the template, and ends by itself when its time is over', () => {
  const template = parseTemplate(
    STANDARD.replace('- name: worker', '- name: worker\n          env: [{ name: HOME, value: /mine }]'),
  );
  const job = jobFrom(template, { ...plan, runs: { kind: 'hold', seconds: 90 } });
  expect(job).toMatchObject({
    spec: {
      activeDeadlineSeconds: 600,
      template: {
        spec: {
          containers: [
            {
              command: ['/bin/sh', '-c', expect.any(String), 'hangar-hold', '90'],
              env: [{ name: 'HOME', value: '/mine' }],
            },
          ],
        },
      },
    },
  });
});

test('what an operator adds is kept, and what Hangar owns is not theirs to change', () => {
  const text = `
apiVersion: batch/v1
kind: Job
metadata: { name: mine, labels: { team: a } }
spec:
  backoffLimit: 6
  template:
    metadata: { labels: { team: a, hangar.dev/job: other } }
    spec:
      restartPolicy: OnFailure
      serviceAccountName: builder
      nodeSelector: { pool: gpu }
      tolerations: [{ key: gpu, operator: Exists }]
      initContainers: [{ name: warm, image: cache:1 }]
      containers:
        - name: worker
          image: mine
          command: [mine]
          env: [{ name: HTTP_PROXY, value: p }, { name: HANGAR_WORKER_URL, value: evil }]
          resources: { limits: { nvidia.com/gpu: 1, memory: 9Gi } }
          volumeMounts: [{ name: cache, mountPath: /cache }, { name: cache, mountPath: /job }]
      volumes: [{ name: cache, persistentVolumeClaim: { claimName: c } }, { name: hangar-token, emptyDir: {} }]
`;
  const job = jobFrom(parseTemplate(text), plan);
  expect(job).toMatchObject({
    metadata: { name: 'hangar-j-1-1', labels: { team: 'a' } },
    spec: {
      backoffLimit: 0,
      template: {
        metadata: { labels: { team: 'a', 'hangar.dev/job': 'j_1' } },
        spec: {
          ...{ restartPolicy: 'Never', serviceAccountName: 'builder', nodeSelector: { pool: 'gpu' } },
          initContainers: [{ name: 'runtime' }, { name: 'warm', image: 'cache:1' }],
          containers: [
            {
              image: 'theirs:1',
              env: [
                { name: 'HTTP_PROXY', value: 'p' },
                { name: 'HANGAR_WORKER_URL', value: 'https://hangar.example' },
                { name: 'HANGAR_WORKER_DIR' },
              ],
              resources: { limits: { 'nvidia.com/gpu': 1, memory: '1073741824' } },
            },
          ],
          volumes: [
            { name: 'cache' },
            { name: 'job' },
            { name: 'hangar-files' },
            { name: 'hangar-runtime' },
            { name: 'hangar-token', secret: { secretName: 't' } },
          ],
        },
      },
    },
  });
});

test.each([
  ['a: [', 'not YAML'],
  ['kind: Pod', 'apiVersion'],
  [STANDARD.replace('- name: worker', '- name: main'), 'none is named worker'],
])('a wrong template is refused with its place', (text, words) => {
  expect(() => parseTemplate(text)).toThrow(words);
});
