import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { afterAll, describe, expect, test } from 'vitest';
import { git, makeOrder, makeRepo, tempFolders } from '../testing/fixtures.ts';
import { startGitServer } from '../testing/git-server.ts';
import { ProtocolServer } from '../testing/protocol-server.ts';
import { makeCertificate, startTinyproxy, TINYPROXY } from '../testing/tinyproxy.ts';

const temp = tempFolders();
const closing: (() => unknown)[] = [];
afterAll(async () => {
  for (const close of closing.reverse()) await close();
  temp.clean();
});

/** TLS in front of a plain server on this machine. @returns its address */
async function withTls(plainUrl: string, certificate: { key: string; cert: string }): Promise<string> {
  const port = Number(new URL(plainUrl).port);
  const server = createServer(certificate, (secure) => {
    const plain = connect(port, '127.0.0.1');
    for (const socket of [secure, plain]) socket.on('error', () => undefined);
    secure.on('close', () => plain.destroy());
    secure.pipe(plain).pipe(secure);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  closing.push(() => server.close());
  return `https://localhost:${(server.address() as AddressInfo).port}`;
}

describe.skipIf(TINYPROXY === null)('a worker behind a real proxy', () => {
  test('speaks with its server and clones through it, over TLS with an authority of its own, and hides its password', async () => {
    const base = temp.make();
    const main = join(base, 'worker.mjs');
    execFileSync(process.execPath, [new URL('../../build.mjs', import.meta.url).pathname, main]);
    const certificate = makeCertificate(base);
    const repo = makeRepo(join(base, 'repo'), { 'a.txt': 'one\n' });
    git(base, 'clone', '-q', '--bare', repo.dir, join(base, 'served.git'));
    const gitServer = await startGitServer(base, null);
    const proxy = await startTinyproxy({ signIn: { user: 'me', password: 'pr0xy-word' } });
    const gitUrl = await withTls(gitServer.url, certificate);
    const server = new ProtocolServer(
      makeOrder({
        spec: '# Go\n\n```sh\necho x > x; echo "$https_proxy"\n```\n',
        repo: { url: `${gitUrl}/served.git`, ref: null, commit: null, bundle: false, patch: false, allowLocal: true },
      }),
    );
    closing.push(
      () => gitServer.close(),
      () => proxy.stop(),
      () => server.stop(),
    );
    const url = await withTls(await server.start(), certificate);
    const dir = join(base, 'work');
    mkdirSync(dir);
    const child = spawn(process.execPath, ['--no-warnings', main], {
      env: {
        ...{ PATH: process.env.PATH, HANGAR_WORKER_URL: url, HANGAR_WORKER_DIR: dir },
        ...{ https_proxy: proxy.url, NODE_EXTRA_CA_CERTS: certificate.certFile },
      },
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    child.stdin.write(`${server.token}\n`);
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(server.finish).toMatchObject({ outcome: 'succeeded', diff: { filesChanged: 1 } });
    expect(server.texts('stdout')).toEqual([proxy.url.replace('pr0xy-word', '***')]);
    expect(new Set(proxy.asked())).toEqual(new Set([url, gitUrl].map((to) => `CONNECT ${new URL(to).host}`)));
    expect(server.complaints).toEqual([]);
  }, 60_000);
});
