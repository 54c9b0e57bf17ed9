import { createWriteStream, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import { hostImage } from '../../packages/sandbox/src/drivers/docker/testing/host-image.ts';
import { createClusters } from '../../packages/sandbox/src/drivers/kubernetes/index.ts';
import { ROOT } from '../e2e/server-process.ts';

/** node: with git and Node. full: with git and no Node. slim: and without libstdc++. */
export type TestImage = 'node' | 'full' | 'slim' | 'without-git';

export interface ClusterForTests {
  readonly kubeconfig: string;
  readonly kubectlFile: string;
  /** An address of this machine that pods reach. */
  readonly hostForPods: string;
  /** Of the test cluster of this machine, which can be killed and started again; null for any other. */
  readonly home: string | null;
  image(kind: TestImage): Promise<string>;
  kubectl(args: readonly string[], input?: string): Promise<string>;
  /** A namespace of its own, and what removes it. */
  namespace(): Promise<{ name: string; remove: () => Promise<void> }>;
}

/** Scripts that build and start a cluster: HANGAR_KUBE_TOOLS, or beside the checkout. */
export const KUBE_TOOLS = process.env.HANGAR_KUBE_TOOLS ?? resolve(ROOT, '../shared/kube');
export const KUBE_HOME =
  process.env.HANGAR_KUBE_HOME ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'hangar-kube');
const REPOSITORY = 'localhost/hangar-test';

/** The cluster of KUBECONFIG. `make test-kubernetes` builds one, starts it, and sets that. */
export async function clusterForTests(): Promise<ClusterForTests | { readonly skipped: string }> {
  const kubeconfig = process.env.KUBECONFIG;
  if (!kubeconfig) return { skipped: 'no KUBECONFIG; make test-kubernetes makes a cluster and runs this in it' };
  const isOurs = (await path(kubeconfig)) === (await path(join(KUBE_HOME, 'run/kubeconfig')));
  const kubectlFile = isOurs ? join(KUBE_HOME, 'bin/kubectl') : 'kubectl';
  const kubectl = async (args: readonly string[], input?: string) => {
    const { stdout } = await execa(kubectlFile, args, {
      env: { KUBECONFIG: kubeconfig },
      timeout: 120_000,
      ...(input === undefined ? { stdin: 'ignore' as const } : { input }),
    });
    return stdout;
  };
  const clusters = createClusters({ inCluster: null, kubeconfig: [kubeconfig], environment: {} });
  const { api } = await clusters.connect();
  clusters.close();
  return {
    kubeconfig,
    kubectlFile,
    kubectl,
    hostForPods: process.env.HANGAR_TEST_POD_HOST ?? (await addressTowards(new URL(api.server))),
    home: isOurs ? KUBE_HOME : null,
    image: (kind) =>
      isOurs ? ensureImage(kind) : Promise.resolve(process.env.HANGAR_TEST_IMAGE ?? 'node:24-bookworm'),
    async namespace() {
      const name = `hangar-test-${Math.random().toString(36).slice(2, 10)}`;
      await kubectl(['create', 'namespace', name]);
      return { name, remove: async () => void (await kubectl(['delete', 'namespace', name, '--wait=false'])) };
    },
  };
}

const path = (file: string) => realpath(file).catch(() => file);

/** The address by which this machine talks to another: pods of that one reach it there. */
function addressTowards(url: URL): Promise<string> {
  return new Promise((done, fail) => {
    const socket = connect(Number(url.port || 443), url.hostname.replace(/^\[|\]$/g, ''));
    socket.once('error', fail);
    socket.once('connect', () => {
      done(socket.localAddress ?? '127.0.0.1');
      socket.destroy();
    });
  });
}

/** An image made of programs of this machine, put into the test cluster: no registry need be in reach. */
async function ensureImage(kind: TestImage): Promise<string> {
  const { tag, tar } = await hostImage(kind === 'node' ? 'full' : kind);
  const node = `${process.version}`;
  const name = kind === 'node' ? `${REPOSITORY}:node-${tag}-${node}` : `${REPOSITORY}:${tag}`;
  const mark = join(KUBE_HOME, 'containerd', `hangar-test-${name.slice(REPOSITORY.length + 1)}`);
  if (existsSync(mark) && readFileSync(mark, 'utf8') === name) return name;
  const work = await mkdtemp(join(tmpdir(), 'hangar-kube-image-'));
  try {
    const folder = join(work, 'root');
    await mkdir(folder);
    await pipeline(await tar(), createWriteStream(join(work, 'image.tar')));
    await execa('tar', ['-xpf', join(work, 'image.tar'), '-C', folder]);
    if (kind === 'node') {
      await mkdir(join(folder, 'usr/local/bin'), { recursive: true });
      await cp(await realpath(process.execPath), join(folder, 'usr/local/bin/node'));
    }
    await execa(join(KUBE_TOOLS, 'image.sh'), ['--cmd', 'sh', name, folder], { timeout: 180_000 });
    writeFileSync(mark, name);
    return name;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
