import { createHash } from 'node:crypto';
import { createWriteStream, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import { hostImage } from '../../packages/sandbox/src/drivers/docker/testing/host-image.ts';
import { ROOT } from '../e2e/server-process.ts';
import { KUBE_HOME, KUBE_TOOLS } from './cluster.ts';

const NAME = 'localhost/hangar-server';

/**
 * The server's image in the test cluster, without a registry: what deploy/docker/server.Dockerfile puts together, on programs of this
 * machine in place of the base image.
 */
export async function serverImage(): Promise<{ name: string; tag: string }> {
  const base = await hostImage('full');
  const built = ['apps/server/dist/main.mjs', 'packages/worker/dist/worker.mjs', 'apps/web/dist/index.html'];
  const hash = createHash('sha256').update(base.tag).update(process.version);
  for (const file of built) hash.update(readFileSync(join(ROOT, file)));
  for (const file of ['assemble.mjs', 'hangar-server']) hash.update(readFileSync(join(ROOT, 'deploy/docker', file)));
  const tag = hash.digest('hex').slice(0, 16);
  const mark = join(KUBE_HOME, 'containerd', `hangar-server-${tag}`);
  if (existsSync(mark)) return { name: NAME, tag };
  const work = await mkdtemp(join(tmpdir(), 'hangar-server-image-'));
  try {
    const folder = join(work, 'root');
    await mkdir(folder);
    await pipeline(await base.tar(), createWriteStream(join(work, 'image.tar')));
    await execa('tar', ['-xpf', join(work, 'image.tar'), '-C', folder]);
    await mkdir(join(folder, 'usr/local/bin'), { recursive: true });
    await cp(await realpath(process.execPath), join(folder, 'usr/local/bin/node'));
    await cp(join(ROOT, 'deploy/docker/hangar-server'), join(folder, 'usr/local/bin/hangar-server'));
    await chmod(join(folder, 'usr/local/bin/hangar-server'), 0o755);
    await execa(process.execPath, [join(ROOT, 'deploy/docker/assemble.mjs'), join(folder, 'opt/hangar')]);
    await execa('chmod', ['-R', 'a+rX', join(folder, 'opt/hangar')]);
    await addLibrary(folder, 'librt.so.1');
    await mkdir(join(folder, 'etc'), { recursive: true });
    writeFileSync(
      join(folder, 'etc/passwd'),
      'root:x:0:0::/:/bin/sh\nhangar:x:10001:10001::/var/lib/hangar:/usr/sbin/nologin\n',
    );
    writeFileSync(join(folder, 'etc/group'), 'root:x:0:\nhangar:x:10001:\n');
    for (const empty of ['tmp', 'var/lib/hangar', 'etc/hangar']) await mkdir(join(folder, empty), { recursive: true });
    await chmod(join(folder, 'tmp'), 0o1777);
    const options = ['--entrypoint', 'hangar-server', '--cmd', 'start', '--user', '10001:10001'];
    await execa(join(KUBE_TOOLS, 'image.sh'), [...options, `${NAME}:${tag}`, folder], { timeout: 180_000 });
    writeFileSync(mark, tag);
    return { name: NAME, tag };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The built-in PostgreSQL wants it; nothing else here does. */
async function addLibrary(folder: string, name: string): Promise<void> {
  for (const place of ['/lib/x86_64-linux-gnu', '/lib/aarch64-linux-gnu', '/lib64']) {
    const from = await realpath(join(place, name)).catch(() => null);
    if (from === null || !(await stat(from)).isFile()) continue;
    const to = join(folder, await realpath(place), name);
    await mkdir(join(to, '..'), { recursive: true });
    await cp(from, to);
    return;
  }
}
