import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createClusters } from './connect.ts';
import { credentialsOf } from './credentials.ts';

let dir = '';
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'hangar-kubeconfig-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const FIRST = `
current-context: b
clusters: [{ name: c, cluster: { server: "https://one:6443/" } }, { name: d, cluster: { server: "https://two" } }]
contexts:
  - { name: a, context: { cluster: c, user: u } }
  - { name: b, context: { cluster: d, user: u, namespace: jobs } }
users: [{ name: u, user: { token: t } }]
`;
const SECOND = `
current-context: a
clusters: [{ name: c, cluster: { server: "https://other" } }]
contexts: [{ name: e, context: { cluster: c, user: nobody } }]
`;
const at = (...files: string[]) => createClusters({ inCluster: null, kubeconfig: files, environment: process.env });

async function write(name: string, text: string): Promise<string> {
  const file = join(dir, name);
  await writeFile(file, text);
  return file;
}

test('of several files the first says what counts, and a missing one is no fault', async () => {
  const clusters = at(join(dir, 'none'), await write('one', FIRST), await write('two', SECOND));
  expect(await clusters.contexts()).toEqual([
    { name: 'a', server: 'https://one:6443/', namespace: 'default', isCurrent: false },
    { name: 'b', server: 'https://two', namespace: 'jobs', isCurrent: true },
    { name: 'e', server: 'https://one:6443/', namespace: 'default', isCurrent: false },
  ]);
  const current = await clusters.connect();
  expect(current).toMatchObject({ source: 'kubeconfig', context: 'b', namespace: 'jobs' });
  expect(await clusters.connect('b')).toBe(current);
  expect(await clusters.connect('a')).toMatchObject({ namespace: 'default', api: { server: 'https://one:6443' } });
});

test.each([
  ['nothing there', null, undefined, 'there is no kubeconfig at'],
  ['no such context', FIRST, 'z', 'Pick one of its contexts: a, b'],
  ['no YAML', 'a: [', undefined, 'cannot be read'],
  ['no context chosen', FIRST.replace('current-context: b', ''), undefined, 'Pick one: a, b'],
])('not connected: %s', async (_what, text, context, words) => {
  const file = text === null ? join(dir, 'none') : await write('config', text);
  const error = await at(file)
    .connect(context)
    .then(
      () => null,
      (thrown: unknown) => thrown,
    );
  expect(error).toMatchObject({ code: 'cluster_not_connected' });
  expect(`${error instanceof Error ? error.message : ''} ${JSON.stringify(error)}`).toContain(words);
});

test('a pod without a service account token is told what to do', async () => {
  const clusters = createClusters({ inCluster: { host: '10.0.0.1', port: '443' }, kubeconfig: [], environment: {} });
  await expect(clusters.connect()).rejects.toMatchObject({
    code: 'cluster_not_connected',
    wayOut: expect.stringContaining('automountServiceAccountToken'),
  });
});

const user = (text: string) => ({
  exec: { apiVersion: 'client.authentication.k8s.io/v1', command: process.execPath, args: ['-e', text] },
});

test('a program of the kubeconfig gives credentials until they expire, and is asked once', async () => {
  const file = join(dir, 'asked');
  const program = `
    require('node:fs').appendFileSync(${JSON.stringify(file)}, 'x');
    const { spec } = JSON.parse(process.env.KUBERNETES_EXEC_INFO);
    const asked = require('node:fs').readFileSync(${JSON.stringify(file)}, 'utf8').length;
    const expirationTimestamp = new Date(Date.now() + (asked === 1 ? 3600_000 : 0)).toISOString();
    console.log(JSON.stringify({ status: { token: 't' + asked + spec.interactive, expirationTimestamp } }));`;
  const credentials = credentialsOf(user(program), { server: 'https://x' }, process.env);
  const [one, same] = await Promise.all([credentials({ fresh: false }), credentials({ fresh: false })]);
  expect(one).toEqual({ authorization: 'Bearer t1false' });
  expect(same).toEqual(one);
  expect(await credentials({ fresh: false })).toEqual(one);
  expect(await credentials({ fresh: true })).toEqual({ authorization: 'Bearer t2false' });
  expect(await credentials({ fresh: false })).toEqual({ authorization: 'Bearer t3false' });
});

test('a program that fails or is missing is named, with its own last word', async () => {
  const failing = credentialsOf(user('console.error("log in first"); process.exit(1)'), { server: 'https://x' }, {});
  await expect(failing({ fresh: false })).rejects.toThrow('log in first');
  const exec = { apiVersion: 'v1', command: 'hangar-no-such-program', installHint: 'Install it.' };
  const missing = credentialsOf({ exec }, { server: 'https://x' }, {});
  await expect(missing({ fresh: false })).rejects.toMatchObject({
    code: 'cluster_not_connected',
    wayOut: 'Install it.',
  });
});
