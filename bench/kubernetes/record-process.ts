// Records from a real cluster what the replayed one answers: pods as they are there, the table kubectl asks for, discovery.
// `KUBECONFIG=… node bench/kubernetes/record-process.ts`, once, and again for a new version of Kubernetes.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { createClusters } from '../../packages/sandbox/src/drivers/kubernetes/index.ts';
import { clusterForTests } from '../../tests/kubernetes/cluster.ts';
import { DISCOVERY, type Facts, TABLE } from './facts.ts';

const found = await clusterForTests();
if ('skipped' in found) throw new Error(found.skipped);
const { kubectl, kubeconfig, kubectlFile } = found;
const { name: namespace, remove } = await found.namespace();
const image = await found.image('full');

/** As a usual program is given to a cluster: probes, requests, a volume, variables. */
const spec = (command: string, more: object = {}) => ({
  terminationGracePeriodSeconds: 1,
  dnsPolicy: 'Default',
  containers: [
    {
      ...{ name: 'main', image, imagePullPolicy: 'IfNotPresent', command: ['sh', '-c', command] },
      env: ['LOG_LEVEL', 'DATABASE_HOST', 'CACHE_HOST', 'REGION', 'OTEL_EXPORTER_OTLP_ENDPOINT'].map((name) => ({
        name,
        value: `${name.toLowerCase()}.example.internal`,
      })),
      ports: [{ name: 'http', containerPort: 8080 }],
      resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { memory: '64Mi' } },
      readinessProbe: { exec: { command: ['true'] }, periodSeconds: 2 },
      volumeMounts: [{ name: 'scratch', mountPath: '/scratch' }],
      ...more,
    },
  ],
  volumes: [{ name: 'scratch', emptyDir: {} }],
});
const deployment = (name: string, template: object) => ({
  ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace } },
  spec: {
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name, 'app.kubernetes.io/part-of': 'shop' } }, spec: template },
  },
});
const job = {
  ...{ apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'once', namespace } },
  spec: { template: { spec: { ...spec('true', { readinessProbe: undefined }), restartPolicy: 'Never' } } },
};

try {
  const items = [
    deployment('runs', spec('sleep 3600')),
    deployment('waits', spec('sleep 1', { resources: { requests: { cpu: '9000' } } })),
    deployment('crashes', spec('exit 1')),
    job,
  ];
  await kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  const clusters = createClusters({ inCluster: null, kubeconfig: [kubeconfig], environment: {} });
  const { api } = await clusters.connect();
  const signal = AbortSignal.timeout(180_000);
  const get = (path: string) => api.json('GET', path, { signal });
  const raw = async (path: string, accept: string) => {
    // The client of the server asks for plain JSON only; kubectl proxies any header.
    const proxy = execa(kubectlFile, ['proxy', '--port=0'], { env: { KUBECONFIG: kubeconfig }, reject: false });
    try {
      const port = await new Promise<string>((resolve) =>
        proxy.stdout?.on('data', (chunk: Buffer) => {
          const [, at] = /:(\d+)\s*$/.exec(String(chunk)) ?? [];
          if (at) resolve(at);
        }),
      );
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { accept }, signal });
      return (await answer.json()) as Record<string, unknown>;
    } finally {
      proxy.kill();
      await proxy;
    }
  };
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  for (;;) {
    const text = await kubectl(['get', 'pods', '-n', namespace, '--no-headers']);
    const isThere = [
      /^runs\S+ +1\/1 +Running/m,
      /^crashes\S+ .*CrashLoopBackOff/m,
      /^once\S+ .*Completed/m,
      /^waits\S+ .*Pending/m,
    ];
    if (isThere.every((one) => one.test(text))) break;
    await sleep(500);
  }
  const facts: Facts = {
    version: await get('/version'),
    pods: (await get(pods)) as Facts['pods'],
    table: (await raw(pods, TABLE)) as Facts['table'],
    nodes: (await get('/api/v1/nodes')) as Facts['nodes'],
    discovery: { '/api': await raw('/api', DISCOVERY), '/apis': await raw('/apis', DISCOVERY) },
    notFound: await raw('/api/v1/namespaces/default/pods/none', 'application/json'),
  };
  clusters.close();
  writeFileSync(join(import.meta.dirname, 'facts.json'), `${JSON.stringify(facts)}\n`);
  console.log(`${facts.pods.items.length} pods, ${JSON.stringify(facts).length} bytes`);
} finally {
  await remove();
}
