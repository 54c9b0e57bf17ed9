import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect as dial } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JobDetail } from '@hangar/contract';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { objectStoreForTests } from '../../apps/server/src/adapters/blob-s3/testing/index.ts';
import { createTestDatabase } from '../../apps/server/src/platform/database/testing/index.ts';
import { makeRepo, ROOT, ServerProcess } from '../e2e/server-process.ts';
import { type ClusterForTests, clusterForTests } from './cluster.ts';
import { serverImage } from './server-image.ts';

const found = await clusterForTests();
/** In the service network of the test cluster, which has no DNS. */
const SERVICE_IP = '10.96.77.7';

if ('skipped' in found) it('Hangar on a cluster', ({ skip }) => skip(found.skipped));
else if (found.home === null)
  it('Hangar on a cluster', ({ skip }) => skip('needs the test cluster, which takes images without a registry'));
else describe('Hangar on a cluster', () => onCluster(found));

function onCluster(cluster: ClusterForTests): void {
  const { kubectl } = cluster;
  let dir: string;
  let overlay: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'hangar-deployed-'));
  });
  afterAll(async () => {
    if (overlay) await kubectl(['delete', '-k', overlay, '--ignore-not-found', '--wait=true', '--timeout=100s']);
    rmSync(dir, { recursive: true, force: true });
  }, 120_000);

  /** An overlay over one of the project's, with what only this cluster needs. */
  async function overlayOn(
    name: string,
    more: { resources?: string; patches?: string; literals?: readonly string[] },
  ): Promise<string> {
    const image = await serverImage();
    const worker = await cluster.image('node');
    const at = join(dir, name);
    mkdirSync(at, { recursive: true });
    writeFileSync(join(at, 'resources.yaml'), more.resources ?? '');
    writeFileSync(
      join(at, 'kustomization.yaml'),
      `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - ${relative(at, join(ROOT, 'deploy/k8s/overlays', name))}
${more.resources === undefined ? '' : '  - resources.yaml'}
configMapGenerator:
  - name: hangar
    namespace: hangar
    behavior: merge
    literals:
      - HANGAR_PUBLIC_URL=http://${SERVICE_IP}
      - HANGAR_WORKER_URL=http://${SERVICE_IP}
      - HANGAR_WORKER_IMAGE=${worker}
${(more.literals ?? []).map((literal) => `      - ${literal}`).join('\n')}
images:
  - name: localhost/hangar-server
    newTag: ${image.tag}
patches:
  - target: { kind: Service, name: hangar }
    patch: '[{"op": "add", "path": "/spec/clusterIP", "value": "${SERVICE_IP}"}]'
  - target: { kind: Deployment, name: hangar }
    patch: '[{"op": "add", "path": "/spec/template/spec/dnsPolicy", "value": "Default"}]'
${more.patches ?? ''}
`,
    );
    return at;
  }

  async function rolledOut(): Promise<void> {
    try {
      await kubectl(['-n', 'hangar', 'rollout', 'status', 'deploy/hangar', '--timeout=110s']);
    } catch (error) {
      const said = await kubectl(['-n', 'hangar', 'logs', 'deploy/hangar', '--tail=30']).catch(() => '');
      const pods = await kubectl(['-n', 'hangar', 'describe', 'pods']).catch(() => '');
      throw new Error(`${error}\n${said}\n${pods}`);
    }
  }

  /** Volumes on the node: the test cluster has no storage class. */
  const volumes = (): string =>
    ['data', 'key']
      .map(
        (name) => `apiVersion: v1
kind: PersistentVolume
metadata: { name: hangar-test-${name}, labels: { hangar-test: "true" } }
spec:
  capacity: { storage: 20Gi }
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  claimRef: { namespace: hangar, name: hangar-${name} }
  hostPath: { path: ${join(dir, name)}, type: DirectoryOrCreate }
`,
      )
      .join('---\n');

  describe('the small overlay', () => {
    let client: ServerProcess;

    beforeAll(async () => {
      // fsGroup is not for volumes of the node: their folders are made the server's here.
      for (const name of ['data', 'key']) {
        mkdirSync(join(dir, name), { mode: 0o770 });
        execFileSync('chown', ['10001:10001', join(dir, name)]);
      }
      overlay = await overlayOn('small', {
        resources: volumes(),
        patches: ['data', 'key']
          .map(
            (name) => `  - target: { kind: PersistentVolumeClaim, name: hangar-${name} }
    patch: '[{"op": "add", "path": "/spec/storageClassName", "value": ""}, {"op": "add", "path": "/spec/volumeName", "value": "hangar-test-${name}"}]'`,
          )
          .join('\n'),
      });
      // Its namespaces take no pod that is not of the level `restricted`.
      await kubectl(['apply', '-k', overlay]);
      await rolledOut();
      client = new ServerProcess(join(dir, 'client'), 0);
    }, 240_000);

    const hangar = (args: readonly string[], o: { cwd?: string; input?: string } = {}) =>
      client.hangar(args, { ...o, env: { HANGAR_SERVER: `http://${SERVICE_IP}` } });

    it('brings up a server that runs a job in the cluster, and its diff is pulled', async () => {
      const key = (await kubectl(['-n', 'hangar', 'exec', 'deploy/hangar', '--', 'hangar-server', 'admin-key'])).trim();
      expect(key).toMatch(/^hgr_/);
      expect(await hangar(['cloud', 'login', '--with-token'], { input: key })).toMatchObject({ exitCode: 0 });
      const profiles = JSON.parse((await hangar(['profiles', 'list', '--json'])).stdout) as {
        items: { name: string; settings: object }[];
      };
      expect(profiles.items).toMatchObject([{ name: 'kubernetes', settings: { namespace: 'hangar-jobs' } }]);
      const repo = await makeRepo(join(dir, 'repo'));
      const spec = join(dir, 'spec.md');
      writeFileSync(spec, '# Work\n\n```sh\nid -u; echo "in $(hostname)"; echo from the cluster > result.txt\n```\n');
      const sent = await hangar(['run', '--cloud', '--spec', spec, '--json'], { cwd: repo });
      expect(sent.exitCode, sent.stderr).toBe(0);
      const { id } = JSON.parse(sent.stdout) as JobDetail;
      let job: JobDetail;
      const deadline = Date.now() + 120_000;
      do {
        await sleep(500);
        job = JSON.parse((await hangar(['status', id, '--json'])).stdout) as JobDetail;
      } while (job.finishedAt === null && Date.now() < deadline);
      expect(job).toMatchObject({ state: 'succeeded', reason: expect.any(String) });
      const log = await hangar(['logs', id]);
      expect(log.stdout).toContain('1000');
      const pulled = await hangar(['pull', id], { cwd: repo });
      expect(pulled.exitCode, pulled.stderr).toBe(0);
      expect(readFileSync(join(repo, 'result.txt'), 'utf8')).toBe('from the cluster\n');
    }, 200_000);

    it('comes back after its pod was deleted, with what it knew', async () => {
      await kubectl(['-n', 'hangar', 'delete', 'pod', '-l', 'app.kubernetes.io/component=server', '--wait=true']);
      await rolledOut();
      const deadline = Date.now() + 60_000;
      let listed = await hangar(['jobs', '--json']);
      while (listed.exitCode !== 0 && Date.now() < deadline) {
        await sleep(500);
        listed = await hangar(['jobs', '--json']);
      }
      expect((JSON.parse(listed.stdout) as { items: JobDetail[] }).items).toMatchObject([{ state: 'succeeded' }]);
    }, 200_000);

    /** Asks the API server what the server's account may do; resources as RESOURCE[.GROUP][/SUBRESOURCE], * for all namespaces. */
    const may = async (verb: string, what: string, where: string): Promise<boolean> => {
      const [name = '', subresource] = what.split('/');
      const [resource = '', ...group] = name.split('.');
      const review = {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SubjectAccessReview',
        spec: {
          user: 'system:serviceaccount:hangar:hangar',
          groups: ['system:serviceaccounts', 'system:serviceaccounts:hangar', 'system:authenticated'],
          resourceAttributes: {
            verb,
            resource,
            group: group.join('.'),
            namespace: where === '*' ? '' : where,
            subresource,
          },
        },
      };
      const said = await kubectl(['create', '-f', '-', '-o', 'jsonpath={.status.allowed}'], JSON.stringify(review));
      expect(said).toMatch(/^(true|false)$/);
      return said === 'true';
    };
    const NEEDED = [
      ...['create', 'get', 'list', 'delete'].map((verb) => [verb, 'jobs.batch']),
      ...['get', 'list', 'watch', 'delete'].map((verb) => [verb, 'pods']),
      ...['create', 'delete'].map((verb) => [verb, 'secrets']),
      ...['create', 'list', 'delete'].map((verb) => [verb, 'configmaps']),
      ['list', 'events'],
      ['get', 'pods/log'],
      ...['get', 'create'].map((verb) => [verb, 'pods/exec']),
    ] as const;
    const SEEN = [
      ...['list', 'watch'].flatMap((verb) => ['nodes', 'pods', 'events', 'namespaces'].map((what) => [verb, what])),
      ['list', 'pods.metrics.k8s.io'],
    ] as const;
    const REFUSED = [
      ...['get', 'list', 'watch', 'update'].map((verb) => [verb, 'secrets', 'hangar-jobs']),
      ...['get', 'list', 'create'].map((verb) => [verb, 'secrets', '*']),
      ...['create', 'delete', 'update'].flatMap((verb) =>
        ['jobs.batch', 'pods', 'configmaps'].map((what) => [verb, what, 'kube-system']),
      ),
      ...['create', 'delete'].flatMap((verb) =>
        ['pods', 'jobs.batch', 'deployments.apps'].map((what) => [verb, what, 'hangar']),
      ),
      ...['create', 'update'].map((verb) => [verb, 'pods', 'hangar-jobs']),
      ...['get', 'create'].flatMap((verb) => ['hangar', 'kube-system'].map((where) => [verb, 'pods/exec', where])),
      ...['pods/attach', 'pods/portforward', 'pods/proxy', 'pods/ephemeralcontainers'].map((what) => [
        ...['create', what, 'hangar-jobs'],
      ]),
      ['get', 'pods/log', 'kube-system'],
      ['create', 'serviceaccounts/token', 'hangar-jobs'],
      ['create', 'rolebindings.rbac.authorization.k8s.io', 'hangar-jobs'],
      ['impersonate', 'users', '*'],
      ['delete', 'nodes', '*'],
      ['update', 'nodes', '*'],
    ] as const;

    it('gives the server the rights that it needs, and none that it must not have', async () => {
      const wrong: string[] = [];
      for (const [verb = '', what = ''] of NEEDED)
        if (!(await may(verb, what, 'hangar-jobs'))) wrong.push(`may not ${verb} ${what}`);
      for (const [verb = '', what = ''] of SEEN)
        if (!(await may(verb, what, '*'))) wrong.push(`may not ${verb} ${what} anywhere`);
      for (const [verb = '', what = '', where = ''] of REFUSED)
        if (await may(verb, what, where)) wrong.push(`may ${verb} ${what} in ${where}`);
      expect(wrong).toEqual([]);
    }, 120_000);

    it('leaves nothing when it is deleted', async () => {
      await kubectl(['delete', '-k', overlay, '--wait=true', '--timeout=110s']);
      for (const kind of ['namespace', 'clusterrole', 'clusterrolebinding', 'persistentvolume']) {
        const left = (await kubectl(['get', kind, '-o', 'name']))
          .split('\n')
          .filter((name) => /\/hangar(-|$)/.test(name));
        expect(left.filter((name) => !name.includes('hangar-test-') || kind === 'persistentvolume')).toEqual([]);
      }
    }, 150_000);
  });

  describe('the scaled overlay', () => {
    const ends: (() => Promise<unknown>)[] = [];
    let client: ServerProcess;
    afterAll(async () => {
      for (const end of ends.reverse()) await end();
    }, 60_000);

    /** A port of this machine that pods reach, leading to a place that only this machine does. */
    async function forPods(place: { port: number; host: string } | { path: string }): Promise<number> {
      const server = createServer((near) => {
        const far = dial(place);
        for (const socket of [near, far]) socket.on('error', () => undefined);
        near.pipe(far).pipe(near);
        near.once('close', () => far.destroy());
        far.once('close', () => near.destroy());
        ends.push(async () => near.destroy());
      });
      await new Promise<void>((done) => server.listen(0, cluster.hostForPods, done));
      ends.push(async () => server.close());
      const address = server.address();
      return typeof address === 'object' && address ? address.port : 0;
    }

    beforeAll(async () => {
      const database = await createTestDatabase();
      ends.push(() => database.drop());
      const store = await objectStoreForTests();
      if ('skipped' in store) throw new Error(store.skipped);
      ends.push(() => store.remove());
      const folder = decodeURIComponent(/@([^:/]+):/.exec(database.url)?.[1] ?? '');
      const postgres = await forPods({ path: `${folder}/.s.PGSQL.5432` });
      const s3 = await forPods({ host: '127.0.0.1', port: store.port });
      const host = cluster.hostForPods;
      const name = database.url.slice(database.url.lastIndexOf('/') + 1);
      await kubectl(['create', 'namespace', 'hangar']);
      const key = `k1:${randomBytes(32).toString('base64')}`;
      await kubectl([
        '-n',
        'hangar',
        'create',
        'secret',
        'generic',
        'hangar-master-key',
        `--from-literal=master.key=${key}`,
      ]);
      await kubectl([
        ...['-n', 'hangar', 'create', 'secret', 'generic', 'hangar-stores'],
        `--from-literal=HANGAR_DATABASE_URL=postgresql://hangar@${host}:${postgres}/${name}`,
        ...Object.entries(store.env).map(([variable, value]) => `--from-literal=${variable}=${value}`),
      ]);
      overlay = await overlayOn('scaled', {
        literals: [`HANGAR_BLOB_URL=s3://${store.bucket}/cluster?endpoint=http://${host}:${s3}`],
      });
      await kubectl(['apply', '-k', overlay]);
      await rolledOut();
      client = new ServerProcess(join(dir, 'client-of-many'), 0);
      const admin = (
        await kubectl(['-n', 'hangar', 'exec', 'deploy/hangar', '--', 'hangar-server', 'admin-key'])
      ).trim();
      expect(await hangar(['cloud', 'login', '--with-token'], { input: admin })).toMatchObject({ exitCode: 0 });
      ends.push(async () => rmSync(client.dir, { recursive: true, force: true }));
    }, 300_000);

    const hangar = (args: readonly string[], o: { cwd?: string; input?: string } = {}) =>
      client.hangar(args, { ...o, env: { HANGAR_SERVER: `http://${SERVICE_IP}` } });

    it('has three servers, and renews them while a job runs and people ask, without a request that fails', async () => {
      const wanted = ['-n', 'hangar', 'get', 'deploy/hangar', '-o', 'jsonpath={.status.readyReplicas}'];
      // The autoscaler brings them.
      await expect.poll(() => kubectl(wanted), { timeout: 120_000, interval: 1000 }).toBe('3');
      const repo = await makeRepo(join(dir, 'repo-of-many'));
      const spec = join(dir, 'long.md');
      writeFileSync(
        spec,
        '# Count\n\n```sh\ni=1; while [ $i -le 600 ]; do echo "line $i"; i=$((i+1)); sleep 0.1; done; echo done > result.txt\n```\n',
      );
      const sent = await hangar(['run', '--cloud', '--spec', spec, '--json'], { cwd: repo });
      expect(sent.exitCode, sent.stderr).toBe(0);
      const { id } = JSON.parse(sent.stdout) as JobDetail;
      const following = hangar(['logs', id, '--follow']);
      let stopped = false;
      let asked = 0;
      const failures: string[] = [];
      const asking = Array.from({ length: 4 }, async () => {
        while (!stopped) {
          asked += 1;
          const status = await fetch(`http://${SERVICE_IP}/api/server`).then(
            async (answer) => {
              await answer.arrayBuffer();
              return String(answer.status);
            },
            (error: unknown) => String(error instanceof Error ? (error.cause ?? error) : error),
          );
          if (status !== '200') failures.push(status);
          await sleep(50);
        }
      });
      await kubectl(['-n', 'hangar', 'rollout', 'restart', 'deploy/hangar']);
      await rolledOut();
      stopped = true;
      await Promise.all(asking);
      expect(failures).toEqual([]);
      expect(asked).toBeGreaterThan(100);
      const { stdout, exitCode } = await following;
      expect(exitCode).toBe(0);
      const lines = stdout.split('\n').filter((line) => /^line \d+$/.test(line));
      expect(lines).toEqual(Array.from({ length: 600 }, (_, index) => `line ${index + 1}`));
      expect((JSON.parse((await hangar(['status', id, '--json'])).stdout) as JobDetail).state).toBe('succeeded');
    }, 300_000);
  });
}
