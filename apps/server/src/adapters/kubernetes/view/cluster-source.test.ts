import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createApi } from '@hangar/sandbox/kubernetes';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import type { ClusterSource } from '../../../features/kubernetes/index.ts';
import { createClusterSource } from './cluster-source.ts';

type Answer = (url: URL, request: IncomingMessage, response: ServerResponse) => void;

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** An API server that answers as one was seen to; see tests/kubernetes for a real one. */
async function sourceOf(answer: Answer): Promise<{ source: ClusterSource; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    answer(new URL(request.url ?? '/', 'http://api'), request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const api = createApi({ server: `http://127.0.0.1:${port}`, insecure: false, credentials: async () => ({}) });
  closers.push(() => {
    api.close();
    server.closeAllConnections();
    server.close();
  });
  const connection = { source: 'kubeconfig', context: 'test', namespace: 'default', api } as const;
  return { source: createClusterSource({ connection, instanceId: 'i_1', log: pino({ level: 'silent' }) }), asked };
}

const json = (response: ServerResponse, body: unknown, status = 200) =>
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
const refuse = (response: ServerResponse, code: number, reason: string, message: string) =>
  json(response, { kind: 'Status', apiVersion: 'v1', status: 'Failure', message, reason, code }, code);
const signal = () => AbortSignal.timeout(10_000);
const log = { previous: false, tail: 5, after: null, follow: false } as const;

describe('use', () => {
  const usage = (cpu: string, memory: string) => ({ name: 'c', usage: { cpu, memory } });

  it('of a pod is that of its containers together, of a node its own', async () => {
    const { source } = await sourceOf((url, _request, response) => {
      if (url.pathname === '/apis/metrics.k8s.io/v1beta1/nodes')
        return json(response, { items: [{ metadata: { name: 'node-1' }, usage: { cpu: '250m', memory: '1Gi' } }] });
      return json(response, {
        kind: 'PodMetricsList',
        items: [
          {
            metadata: { name: 'web-1', namespace: 'shop' },
            timestamp: '2026-05-04T14:02:11Z',
            containers: [usage('1500000n', '2048Ki'), usage('0', '1Mi')],
          },
        ],
      });
    });
    expect(await source.podUse(null, { signal: signal() })).toEqual(
      new Map([['shop/web-1', { cpu: 0.0015, memory: 3 * 1024 ** 2 }]]),
    );
    expect(await source.nodeUse({ signal: signal() })).toEqual(new Map([['node-1', { cpu: 0.25, memory: 1024 ** 3 }]]));
  });

  it('is not known where metrics.k8s.io is not there, and refused where it is refused', async () => {
    const { source } = await sourceOf((url, _request, response) =>
      url.pathname.endsWith('/namespaces/secret/pods')
        ? refuse(response, 403, 'Forbidden', 'pods.metrics.k8s.io is forbidden')
        : response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found'),
    );
    expect(await source.podUse(null, { signal: signal() })).toBeNull();
    await expect(source.podUse('secret', { signal: signal() })).rejects.toMatchObject({
      code: 'k8s_forbidden',
      message: 'Pods.metrics.k8s.io is forbidden.',
    });
  });
});

it('namespaces come page by page', async () => {
  const { source, asked } = await sourceOf((url, _request, response) => {
    const from = Number(url.searchParams.get('continue') ?? 0);
    const items = [{ metadata: { name: `n-${from}` } }];
    json(response, { metadata: { resourceVersion: '1', ...(from < 2 ? { continue: String(from + 1) } : {}) }, items });
  });
  expect(await source.namespaces({ signal: signal() })).toEqual(['n-0', 'n-1', 'n-2']);
  expect(asked).toHaveLength(3);
});

describe('a log', () => {
  it('is that of the container that kubectl would take, with times, from where the reader was', async () => {
    const pod = {
      metadata: { name: 'web-1', namespace: 'shop', annotations: { 'kubectl.kubernetes.io/default-container': 'web' } },
      spec: { containers: [{ name: 'proxy' }, { name: 'web' }] },
    };
    const { source, asked } = await sourceOf((url, _request, response) => {
      if (url.pathname.endsWith('/log')) return response.end('2026-05-04T14:02:11.5Z said\n');
      return json(response, pod);
    });
    const lines = [];
    const options = { ...log, container: null, follow: true, tail: null, after: '2026-05-04T14:02:11.400000000Z' };
    for await (const batch of await source.log('shop', 'web-1', { ...options, signal: signal() })) lines.push(...batch);
    expect(lines).toEqual([{ at: '2026-05-04T14:02:11.500000000Z', text: 'said' }]);
    const query = new URL(asked[1] ?? '', 'http://api').searchParams;
    expect(Object.fromEntries(query)).toEqual({
      ...{ timestamps: 'true', container: 'web', follow: 'true' },
      sinceTime: '2026-05-04T14:02:11.400000000Z',
    });
  });

  it.each([
    [400, 'BadRequest', 'container "web" in pod "web-1" is waiting to start: ContainerCreating', 'pod_log_not_there'],
    [404, 'NotFound', 'pods "web-1" not found', 'pod_not_found'],
    [403, 'Forbidden', 'pods "web-1" is forbidden', 'k8s_forbidden'],
    [401, 'Unauthorized', 'Unauthorized', 'k8s_refused'],
    [500, 'InternalError', 'an error on the server', 'k8s_unreachable'],
  ] as const)('a %s says why it is not there', async (status, reason, message, code) => {
    const { source } = await sourceOf((_url, _request, response) => refuse(response, status, reason, message));
    const options = { ...log, container: 'web', signal: signal() };
    await expect(source.log('shop', 'web-1', options)).rejects.toMatchObject({ code });
  });
});

it('pods of jobs of another Hangar are pods like any other', async () => {
  const labels = { 'hangar.dev/job': 'j_7k2m9x4q' };
  const { source } = await sourceOf((url, _request, response) => {
    const instance = url.pathname.endsWith('/ours') ? 'i_1' : 'i_2';
    json(response, {
      metadata: { name: 'p', namespace: 'shop', labels: { ...labels, 'hangar.dev/instance': instance } },
    });
  });
  expect((await source.pod('shop', 'ours', { signal: signal() })).row.jobId).toBe('j_7k2m9x4q');
  expect((await source.pod('shop', 'theirs', { signal: signal() })).row.jobId).toBeNull();
});

it('what is followed grows page by page, is told when it is whole, and then each change', async () => {
  const pod = (n: number) => ({
    metadata: { name: `p-${n}`, namespace: 'shop', uid: `u-${n}` },
    spec: { containers: [] },
  });
  const watches: ServerResponse[] = [];
  let release: (() => void) | null = null;
  const { source } = await sourceOf((url, _request, response) => {
    if (url.searchParams.has('watch')) {
      watches.push(response.writeHead(200));
      response.flushHeaders();
      return;
    }
    const from = Number(url.searchParams.get('continue') ?? 0);
    const page = () =>
      json(response, {
        metadata: { resourceVersion: '7', ...(from < 1 ? { continue: '1' } : {}) },
        items: [pod(from)],
      });
    if (from === 0) page();
    else release = page;
  });
  let changes = 0;
  const followed = source.followPods(null, () => {
    changes += 1;
  });
  closers.push(() => followed.close());
  await expect.poll(() => followed.rows.size).toBe(1);
  expect(followed.isWhole).toBe(false);
  await expect.poll(() => release !== null).toBe(true);
  (release as (() => void) | null)?.();
  await expect.poll(() => followed.isWhole, { timeout: 5_000 }).toBe(true);
  expect([...followed.rows.keys()]).toEqual(['shop/p-0', 'shop/p-1']);
  watches[0]?.write(`${JSON.stringify({ type: 'DELETED', object: pod(0) })}\n`);
  await expect.poll(() => followed.rows.size).toBe(1);
  expect(followed.trouble).toBeNull();
  expect(changes).toBeGreaterThan(3);
});
