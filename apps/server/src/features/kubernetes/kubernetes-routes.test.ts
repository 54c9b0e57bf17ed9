import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createApp } from '../../platform/http/app.ts';
import type { PersonIdentity } from '../../platform/http/identity.ts';
import { createClusterLive } from './cluster-live.ts';
import { createKubernetes } from './kubernetes.ts';
import { kubernetesBytesRoutes, kubernetesRoutes } from './kubernetes-routes.ts';
import { FakeCluster, forbidden, podRow, reachOf } from './testing/fake-cluster.ts';

const log = pino({ level: 'silent' });
let cluster = new FakeCluster();
let app: FastifyInstance;
let url: string;
let closeAll: () => void;

beforeAll(async () => {
  const kubernetes = createKubernetes({
    // The cluster of the test that runs.
    reach: { places: () => reachOf(cluster).places(), open: (context) => reachOf(cluster).open(context) },
    jobOf: async () => null,
  });
  const live = createClusterLive({ kubernetes, log });
  closeAll = () => {
    live.close();
    kubernetes.close();
  };
  app = await createApp({
    router: { kubernetes: kubernetesRoutes(kubernetes) },
    rawRoutes: [kubernetesBytesRoutes({ kubernetes, live })],
    identify: async ({ authorization }) => {
      const [kind, role] = (authorization ?? '').split(' ');
      if (!kind || (role !== 'admin' && role !== 'member')) return null;
      return {
        kind: kind as PersonIdentity['kind'],
        actor: { userId: 'u', userName: 'Ada', role },
        ...{ userId: 'u', userName: 'Ada', label: '', expiresAt: null },
      };
    },
    refuseForeignOrigin: () => undefined,
    isDraining: () => false,
    ...{ log, trustProxy: false, secure: false, webDir: null },
  });
  url = await app.listen({ port: 0, host: '127.0.0.1' });
});
afterAll(async () => {
  closeAll();
  const closed = app.close();
  app.server.closeAllConnections();
  await closed;
});
beforeEach(() => {
  cluster = new FakeCluster();
});

const ask = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${url}/api${path}`, {
    headers: { authorization: 'apiKey admin', ...headers },
    signal: AbortSignal.timeout(20_000),
  });
const POD_LOG = '/k8s/pods/shop/web-1/log';

it.each(['/k8s/health', '/k8s/nodes', '/k8s/pods', '/k8s/pods/shop/web-1', POD_LOG, '/k8s/live?show=pods'])(
  '%s is for admins only',
  async (path) => {
    expect((await ask(path, { authorization: '' })).status).toBe(401);
    const member = await ask(path, { authorization: 'apiKey member' });
    expect(member.status).toBe(403);
    expect(await member.json()).toMatchObject({ code: 'admin_only' });
    expect(cluster.pods).toHaveLength(0);
  },
);

it('filters, sorts and pages as the query says, and refuses what is none', async () => {
  const answer = ask('/k8s/pods?status[0]=pending&status[1]=failing&sort=-name&limit=1&offset=1');
  await expect.poll(() => cluster.pods.length).toBe(1);
  cluster.fill([podRow('a', { state: 'pending' }), podRow('b', { state: 'failing' }), podRow('c')]);
  const page = await (await answer).json();
  expect(page).toMatchObject({ total: 2, all: 3, items: [{ name: 'a' }] });
  for (const wrong of ['limit=0', 'limit=501', 'sort=colour', 'status=sleeping', 'namespace=a/b', 'offset=-1'])
    expect((await ask(`/k8s/pods?${wrong}`)).status).toBe(400);
});

it('what may not be read is a 403 with the words of the cluster', async () => {
  cluster.namespaceNames = [];
  const answer = ask('/k8s/nodes');
  await expect.poll(() => cluster.nodes.length).toBe(1);
  cluster.at().whole();
  cluster.nodes[0]?.fail(forbidden('nodes'));
  const refused = await answer;
  expect(refused.status).toBe(403);
  expect(await refused.json()).toMatchObject({ code: 'k8s_forbidden', message: expect.stringContaining('User "ada"') });
});

it('a log is text, and as a stream goes on after the line its reader has', async () => {
  const at = (n: number) => `2026-05-04T14:02:11.00000000${n}Z`;
  cluster.lines = [
    [
      { at: at(1), text: 'one' },
      { at: at(2), text: '<script>two' },
    ],
    [{ at: at(3), text: 'three' }],
  ];
  const text = await ask(`${POD_LOG}?container=web&tail=5`);
  expect(text.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  expect(text.headers.get('content-security-policy')).toContain('sandbox');
  expect(await text.text()).toBe('one\n<script>two\nthree\n');

  const stream = await (await ask(POD_LOG, { accept: 'text/event-stream' })).text();
  expect(stream).toContain(`id: 2@${at(2)}\ndata: [{"n":1,"at":"2026-05-04T14:02:11.000Z","text":"one"}`);
  expect(stream).toContain(`id: 3@${at(3)}\ndata: [{"n":3`);
  expect(stream).toMatch(/event: end\ndata: \{"total":3\}\n\n$/);

  cluster.lines = [[{ at: at(4), text: 'four' }]];
  const rest = await ask(POD_LOG, { accept: 'text/event-stream', 'last-event-id': `3@${at(3)}` });
  expect(await rest.text()).toContain(`id: 4@${at(4)}\ndata: [{"n":4,`);
  expect(cluster.logAsked.at(-1)).toMatchObject({ after: at(3), tail: null, follow: true, container: null });
  expect(cluster.logAsked[0]).toMatchObject({ after: null, tail: 5, follow: false, container: 'web' });
});

it('who follows the list is sent it when it changes', async () => {
  const gone = new AbortController();
  const response = await fetch(`${url}/api/k8s/live?show=health,pods&search=web`, {
    headers: { authorization: 'session admin' },
    signal: gone.signal,
  });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  let text = '';
  void (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true });
  })().catch(() => undefined);
  await expect.poll(() => cluster.pods.length).toBe(1);
  cluster.fill([podRow('web-1'), podRow('db-1')]);
  await expect.poll(() => text, { timeout: 10_000 }).toMatch(/event: pods\ndata: .*"total":1,"all":2/);
  expect(text).toMatch(/event: health\ndata: .*"state":"connected"/);
  cluster.at().put('shop/web-2', podRow('web-2'));
  await expect.poll(() => text, { timeout: 10_000 }).toMatch(/event: pods\ndata: .*"total":2,"all":3/);
  gone.abort();
  expect((await ask('/k8s/live?show=secrets')).status).toBe(400);
});
