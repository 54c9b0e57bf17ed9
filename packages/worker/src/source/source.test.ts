import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openGit } from '../git/git.ts';
import { makePlaces } from '../places.ts';
import { bundleOf, commitFiles, git, makeRepo, tempFolders } from '../testing/fixtures.ts';
import { startGitServer } from '../testing/git-server.ts';
import { SSHD, startSshServer } from '../testing/ssh-server.ts';
import { type GitCredential, parseRemote } from './credential.ts';
import type { ReachRules } from './reach.ts';
import { type Base, prepareTree, type Source } from './source.ts';

const temp = tempFolders();
afterAll(() => temp.clean());

const TOKEN = 'ghp_4kq81ZZtopSecret99';
const HELPER = {
  argv: [process.execPath, '--no-warnings', new URL('../main.ts', import.meta.url).pathname, 'git-credential'],
};

async function prepare(
  source: Source,
  env: NodeJS.ProcessEnv = process.env,
  reach: Partial<ReachRules> = { allowLocal: true },
) {
  const dir = join(temp.make(), 'a rather long name of a folder, with spaces');
  const places = await makePlaces(dir);
  const said: string[] = [];
  const done: Promise<Base> = prepareTree(source, {
    git: openGit({ home: places.gitHome, base: env }),
    places,
    helper: HELPER,
    reach: { allowLocal: false, env, ...reach },
    path: env.PATH ?? '',
    branch: 'hangar/j_1',
    say: (text) => said.push(text),
    signal: AbortSignal.timeout(60_000),
  });
  return { places, said, done };
}

const remote = (url: string, over: Partial<Source & { kind: 'remote' }> = {}): Source => ({
  kind: 'remote',
  url,
  ref: null,
  commit: null,
  credential: null,
  ...over,
});

const token = (host: string | null, value = TOKEN): GitCredential => ({
  kind: 'https-token',
  host,
  username: 'bot',
  value,
  knownHosts: null,
});

/** root/repo.git with three commits on main, a branch and an annotated tag. */
function makeRoot() {
  const root = temp.make();
  const work = makeRepo(join(root, 'work'), { 'a.txt': '1\n' });
  const second = commitFiles(work.dir, { 'a.txt': '2\n' }, 'second');
  git(work.dir, 'tag', '-a', 'v1', '-m', 'v1');
  git(work.dir, 'checkout', '-q', '-b', 'feature/x');
  const feature = commitFiles(work.dir, { 'f.txt': 'f\n' }, 'feature');
  git(work.dir, 'checkout', '-q', 'main');
  const main = commitFiles(work.dir, { 'a.txt': '3\n' }, 'third');
  git(root, 'clone', '-q', '--bare', work.dir, 'repo.git');
  return { root, work: work.dir, first: work.commit, second, feature, main };
}

function everyFile(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

describe('from a URL', () => {
  test('default branch, branch, tag, commit, short commit; the tree has its own repository', async () => {
    const r = makeRoot();
    const server = await startGitServer(r.root, null);
    const url = `${server.url}/repo.git`;
    for (const [over, commit] of [
      [{}, r.main],
      [{ ref: 'feature/x' }, r.feature],
      [{ ref: 'v1' }, r.second],
      [{ ref: 'main', commit: r.first }, r.first],
      [{ ref: r.second.slice(0, 9) }, r.second],
    ] as const) {
      const { places, done } = await prepare(remote(url, over));
      expect(await done).toMatchObject({ commit });
      expect(git(places.tree, 'rev-parse', 'HEAD')).toBe(commit);
      expect(git(places.tree, 'status', '--porcelain')).toBe('');
      expect(git(places.tree, 'log', '--oneline').split('\n').length).toBeGreaterThan(0);
      expect(git(places.tree, 'remote', 'get-url', 'origin')).toBe(url);
    }
    await server.close();
  });

  test('each thing that can be wrong has its own error', async () => {
    const r = makeRoot();
    const server = await startGitServer(r.root, { user: 'bot', password: TOKEN });
    const url = `${server.url}/repo.git`;
    const host = new URL(url).host;
    mkdirSync(join(r.root, 'empty.git'));
    git(join(r.root, 'empty.git'), 'init', '-q', '--bare');
    const closed = await new Promise<number>((resolve) => {
      const probe = createServer().listen(0, '127.0.0.1', () => {
        const address = probe.address();
        probe.close(() => resolve(typeof address === 'object' && address ? address.port : 1));
      });
    });
    for (const [source, code] of [
      [remote(url), 'repo_auth_failed'],
      [remote(url, { credential: token(host, 'wrong-token') }), 'repo_auth_failed'],
      [remote(url, { credential: token('elsewhere.example') }), 'repo_auth_failed'],
      [remote(`${server.url}/nothing.git`, { credential: token(host) }), 'repo_not_found'],
      [remote(url, { credential: token(host), ref: 'nope' }), 'ref_not_found'],
      [remote(url, { credential: token(host), commit: 'a'.repeat(40) }), 'ref_not_found'],
      [remote(url, { credential: token(host), ref: 'abcdef12' }), 'ref_not_found'],
      [remote(`${server.url}/empty.git`, { credential: token(host) }), 'ref_not_found'],
      [remote(`http://127.0.0.1:${closed}/x.git`), 'repo_unreachable'],
      [remote('http://no-such-host.invalid/x.git'), 'repo_unreachable'],
      [remote('file:///etc'), 'repo_url_invalid'],
      [remote('ext::sh -c id'), 'repo_url_invalid'],
      [remote('--upload-pack=touch /tmp/pwned'), 'repo_url_invalid'],
    ] as const) {
      const { done } = await prepare(source);
      await expect(done, JSON.stringify(source)).rejects.toMatchObject({ code });
    }
    await server.close();
  });

  test('a token gets in, by credential or in the URL, and is nowhere afterwards', async () => {
    const r = makeRoot();
    const server = await startGitServer(r.root, { user: 'bot', password: TOKEN });
    const host = new URL(server.url).host;
    for (const source of [
      remote(`${server.url}/repo.git`, { credential: token(host) }),
      remote(`${server.url}/repo.git`, { credential: token(null) }),
      remote(`http://bot:${TOKEN}@${host}/repo.git`),
    ]) {
      const { places, said, done } = await prepare(source);
      expect((await done).commit).toBe(r.main);
      expect(said.join('\n')).not.toContain(TOKEN);
      const encoded = Buffer.from(`bot:${TOKEN}`).toString('base64');
      for (const file of everyFile(join(places.tree, '..'))) {
        const content = readFileSync(file, 'latin1');
        expect(content.includes(TOKEN) || content.includes(encoded), file).toBe(false);
      }
    }
    await server.close();
  });

  test('the token does not follow a redirect to another host', async () => {
    const r = makeRoot();
    const other = await startGitServer(r.root, { user: 'bot', password: TOKEN });
    const first = await startGitServer(r.root, null, other.url);
    const host = new URL(first.url).host;
    const { done } = await prepare(remote(`${first.url}/repo.git`, { credential: token(host) }));
    await expect(done).rejects.toMatchObject({ code: 'repo_auth_failed' });
    expect(other.seen.every((line) => line.endsWith(' -'))).toBe(true);
    await first.close();
    await other.close();
  });

  test('submodules and large file pointers are said', async () => {
    const root = temp.make();
    const work = makeRepo(join(root, 'work'), {
      '.gitattributes': '*.bin filter=lfs diff=lfs merge=lfs -text\n',
      'x.bin': 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n',
      '.gitmodules': '[submodule "sub"]\n\tpath = sub\n\turl = ext::sh -c "touch /tmp/pwned"\n',
    });
    git(work.dir, 'update-index', '--add', '--cacheinfo', `160000,${work.commit},sub`);
    git(work.dir, 'commit', '-q', '-m', 'sub');
    git(root, 'clone', '-q', '--bare', work.dir, 'repo.git');
    const server = await startGitServer(root, null);
    const { said, done } = await prepare(remote(`${server.url}/repo.git`));
    await done;
    expect(said.join('\n')).toMatch(/Submodules are not fetched: sub/);
    expect(said.join('\n')).toMatch(/1 files? (are|is) (a )?pointers?.*x\.bin/);
    await server.close();
  });
});

describe('what a name leads to', () => {
  /** A resolver that says what it is told, and how often it was asked. */
  const resolver = (...answers: readonly (readonly string[])[]) => {
    const asked: string[] = [];
    const lookup = async (host: string) => answers[Math.min(asked.push(host), answers.length) - 1] ?? [];
    return { asked, lookup };
  };

  test('this machine and its link are refused, by address and by name; nothing is sent there', async () => {
    const r = makeRoot();
    const server = await startGitServer(r.root, null);
    const { port } = new URL(server.url);
    for (const [url, addresses] of [
      [`http://127.0.0.1:${port}/repo.git`, []],
      [`http://2130706433:${port}/repo.git`, []],
      [`http://0x7f.1:${port}/repo.git`, []],
      [`http://[::ffff:127.0.0.1]:${port}/repo.git`, []],
      [`http://localhost:${port}/repo.git`, []],
      [`http://inside.example:${port}/repo.git`, ['127.0.0.1']],
      [`http://inside.example:${port}/repo.git`, ['192.0.2.1', '::1']],
      [`http://inside.example:${port}/repo.git`, ['169.254.169.254']],
      [`ssh://git@inside.example:${port}/repo.git`, ['fe80::1%eth0']],
      ['git@inside.example:repo.git', ['::ffff:127.0.0.1']],
      ['git@0177.1:repo.git', []],
    ] as const) {
      const { done } = await prepare(remote(url), process.env, { lookup: async () => addresses });
      await expect(done, url).rejects.toMatchObject({ code: 'repo_url_refused', wayOut: /HANGAR_ALLOW_LOCAL_REPOS/ });
    }
    expect(server.seen).toEqual([]);
    await server.close();
  });

  test('git talks to the address that was looked at, whatever the name says later', async () => {
    const r = makeRoot();
    const server = await startGitServer(r.root, null);
    const { port } = new URL(server.url);
    const { asked, lookup } = resolver(['127.0.0.1'], ['192.0.2.9']);
    // No resolver knows this name: without the address handed over git could not reach it.
    const { done } = await prepare(remote(`http://only-here.invalid:${port}/repo.git`), process.env, {
      allowLocal: true,
      lookup,
    });
    expect((await done).commit).toBe(r.main);
    expect(asked).toEqual(['only-here.invalid']);
    await server.close();
  });

  test('a redirect is followed after a look at where it leads, and never to a refused place', async () => {
    const r = makeRoot();
    const target = await startGitServer(r.root, null);
    const first = await startGitServer(r.root, null, target.url);
    const followed = await prepare(remote(`${first.url}/repo.git`));
    expect((await followed.done).commit).toBe(r.main);
    expect(followed.said.join('\n')).toContain(`The git server sends to ${target.url}/repo.git`);
    target.seen.length = 0;
    // A proxy stands for a server far away that sends its callers home.
    const env = { PATH: process.env.PATH, http_proxy: first.url };
    const rules = { allowLocal: false, lookup: async () => ['192.0.2.1'] };
    const refused = await prepare(remote('http://far-away.example/repo.git'), env, rules);
    await expect(refused.done).rejects.toMatchObject({ code: 'repo_url_refused' });
    expect(first.seen.length).toBeGreaterThan(0);
    expect(target.seen).toEqual([]);
    await first.close();
    await target.close();
  });

  test('what sends from place to place, or to a page, ends with a reason', async () => {
    const root = temp.make();
    const circle = await startGitServer(root, null, '');
    await expect((await prepare(remote(`${circle.url}/repo.git`))).done).rejects.toMatchObject({
      code: 'repo_unreachable',
    });
    await circle.close();
    const page = await startGitServer(root, null, 'http://127.0.0.1/sign-in?then=');
    await expect((await prepare(remote(`${page.url}/repo.git`))).done).rejects.toMatchObject({
      code: 'repo_not_found',
    });
    await page.close();
  });

  test('a name nobody knows is the business of the proxy where there is one', async () => {
    const lookup = async () => {
      throw new Error('ENOTFOUND');
    };
    const direct = await prepare(remote('http://unknown.invalid/x.git'), { PATH: process.env.PATH }, { lookup });
    await expect(direct.done).rejects.toMatchObject({
      code: 'repo_unreachable',
      message: /unknown\.invalid is not known/,
    });
    const r = makeRoot();
    const proxy = await startGitServer(r.root, null);
    const env = { PATH: process.env.PATH, http_proxy: proxy.url };
    const { done } = await prepare(remote('http://unknown.invalid/repo.git'), env, { lookup });
    expect((await done).commit).toBe(r.main);
    await proxy.close();
  });
});

describe('from a bundle', () => {
  test('with uncommitted work as part of the base', async () => {
    const base = temp.make();
    const work = makeRepo(join(base, 'work'), { 'a.txt': 'one\n', 'b.bin': Buffer.from([0, 1, 2]) });
    const bundleFile = bundleOf(work.dir, join(base, 'b'));
    writeFileSync(join(work.dir, 'a.txt'), 'one and more\n');
    writeFileSync(join(work.dir, 'b.bin'), Buffer.from([0, 9]));
    writeFileSync(join(work.dir, 'new file'), 'new\n');
    git(work.dir, 'add', '-A');
    const patchFile = join(base, 'p');
    git(work.dir, 'diff', '--cached', '--binary', `--output=${patchFile}`, 'HEAD');
    const { places, done } = await prepare({
      kind: 'bundle',
      url: null,
      credential: null,
      commit: work.commit,
      bundleFile,
      patchFile,
    });
    expect((await done).tree).toBe(git(work.dir, 'write-tree'));
    expect(readFileSync(join(places.tree, 'new file'), 'utf8')).toBe('new\n');
    expect(git(places.tree, 'rev-parse', 'HEAD')).toBe(work.commit);
  });

  test('only new commits, on top of what the URL has', async () => {
    const r = makeRoot();
    const server = await startGitServer(r.root, null);
    const commit = commitFiles(r.work, { 'n.txt': 'n\n' }, 'unpushed');
    const bundleFile = join(r.root, 'thin');
    git(r.work, 'bundle', 'create', '-q', bundleFile, 'main', `^${r.main}`);
    const { places, done } = await prepare({
      kind: 'bundle',
      url: `${server.url}/repo.git`,
      credential: null,
      commit,
      bundleFile,
      patchFile: null,
    });
    expect((await done).commit).toBe(commit);
    expect(readFileSync(join(places.tree, 'n.txt'), 'utf8')).toBe('n\n');
    await server.close();
  });

  test('what is no bundle, lacks its base or the commit, or a patch that escapes: bundle_invalid', async () => {
    const base = temp.make();
    const work = makeRepo(join(base, 'work'), { 'a.txt': 'one\n' });
    const good = bundleOf(work.dir, join(base, 'good'));
    const next = commitFiles(work.dir, { 'a.txt': 'two\n' }, 'two');
    git(work.dir, 'bundle', 'create', '-q', join(base, 'thin'), 'main', `^${work.commit}`);
    writeFileSync(join(base, 'junk'), 'junk\n');
    writeFileSync(join(base, 'cut'), readFileSync(good).subarray(0, -30));
    const escapes = `diff --git a/../../x b/../../x\nnew file mode 100644\n--- /dev/null\n+++ b/../../x\n@@ -0,0 +1 @@\n+x\n`;
    writeFileSync(join(base, 'escapes'), escapes);
    const outside = temp.make();
    writeFileSync(
      join(base, 'link'),
      `diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+${outside}\n\\ No newline at end of file\n${escapes.replaceAll('../../x', 'l/x')}`,
    );
    for (const [bundle, commit, patch] of [
      ['junk', work.commit, null],
      ['cut', work.commit, null],
      ['thin', next, null],
      ['good', next, null],
      ['good', work.commit, 'junk'],
      ['good', work.commit, 'escapes'],
      ['good', work.commit, 'link'],
    ] as const) {
      const { done } = await prepare({
        kind: 'bundle',
        url: null,
        credential: null,
        commit,
        bundleFile: join(base, bundle),
        patchFile: patch && join(base, patch),
      });
      await expect(done, `${bundle} ${patch}`).rejects.toMatchObject({ code: 'bundle_invalid' });
    }
    expect(readdirSync(outside)).toEqual([]);
  });
});

describe('from a checkout', () => {
  test('borrows objects, writes nothing there', async () => {
    const work = makeRepo(join(temp.make(), 'work'), { 'a.txt': 'one\n' });
    const before = everyFile(work.dir).sort();
    const { places, done } = await prepare({ kind: 'checkout', dir: work.dir, commit: null, patchFile: null });
    expect((await done).commit).toBe(work.commit);
    writeFileSync(join(places.tree, 'a.txt'), 'two\n');
    expect(git(places.tree, 'diff', '--stat')).toContain('a.txt');
    expect(everyFile(work.dir).sort()).toEqual(before);
  });

  test.each(['blob:none', 'tree:0'])(
    'a partial clone (%s): what it lacks is said; once it is there it is laid out, and older files are fetched by the agent alone',
    async (filter) => {
      const root = temp.make();
      const origin = makeRepo(join(root, 'origin'), { 'a.txt': 'one\n', 'far/away/b.txt': 'bee\n' });
      const commit = commitFiles(origin.dir, { 'a.txt': 'two\n' }, 'second');
      for (const name of ['allowFilter', 'allowAnySHA1InWant']) git(origin.dir, 'config', `uploadpack.${name}`, 'true');
      git(root, 'clone', '-q', `--filter=${filter}`, '--no-checkout', `file://${origin.dir}`, 'partial');
      const dir = join(root, 'partial');
      git(dir, 'sparse-checkout', 'set', '--cone', 'nowhere');
      git(dir, 'checkout', '-q');
      const source: Source = { kind: 'checkout', dir, commit: null, patchFile: null };
      const wayOut = /git -C \S+ (rev-list --objects --no-walk [0-9a-f]+)/;
      await expect((await prepare(source)).done).rejects.toMatchObject({ code: 'repo_unreachable', wayOut });
      git(dir, 'rev-list', '--objects', '--no-walk', commit);
      const { places, done } = await prepare(source);
      expect(await done).toMatchObject({ commit });
      expect(readFileSync(join(places.tree, 'far/away/b.txt'), 'utf8')).toBe('bee\n');
      expect(git(places.tree, 'show', 'HEAD~1:a.txt')).toBe('one');
    },
  );

  test('at a path with quotes, colons and line ends in it', async () => {
    const work = makeRepo(join(temp.make(), '"a:b\n#c\\d'), { 'a.txt': 'one\n' });
    const { places, done } = await prepare({ kind: 'checkout', dir: work.dir, commit: null, patchFile: null });
    expect((await done).commit).toBe(work.commit);
    expect(git(places.tree, 'show', 'HEAD:a.txt')).toBe('one');
  });

  test('no checkout, no commit', async () => {
    const dir = temp.make();
    await expect((await prepare({ kind: 'checkout', dir, commit: null, patchFile: null })).done).rejects.toMatchObject({
      code: 'not_a_checkout',
    });
    git(dir, 'init', '-q');
    await expect((await prepare({ kind: 'checkout', dir, commit: null, patchFile: null })).done).rejects.toMatchObject({
      code: 'no_commits',
    });
  });
});

describe.skipIf(SSHD === undefined)('over ssh (needs sshd)', () => {
  test('a key gets in through an agent that is gone afterwards, another key does not', async () => {
    const r = makeRoot();
    const server = await startSshServer(join(temp.make(), 'ssh'));
    const key = (value: string, knownHosts: string | null): GitCredential => ({
      kind: 'ssh-key',
      host: null,
      username: null,
      value,
      knownHosts,
    });
    const url = `ssh://${server.user}@127.0.0.1:${server.port}${r.root}/repo.git`;
    try {
      for (const knownHosts of [server.knownHosts, null]) {
        const { places, done } = await prepare(remote(url, { credential: key(server.privateKey, knownHosts) }));
        expect((await done).commit).toBe(r.main);
        const secret = server.privateKey.split('\n')[2] ?? 'x';
        for (const file of everyFile(join(places.tree, '..')))
          expect(readFileSync(file, 'latin1').includes(secret), file).toBe(false);
      }
      const other = await startSshServer(join(temp.make(), 'other'));
      await other.close();
      for (const [credential, code] of [
        [key(other.privateKey, server.knownHosts), 'repo_auth_failed'],
        [key(server.privateKey, other.knownHosts.replace(String(other.port), String(server.port))), 'repo_unreachable'],
        [key('not a key', null), 'repo_auth_failed'],
        [null, 'repo_auth_failed'],
      ] as const)
        await expect((await prepare(remote(url, { credential }))).done).rejects.toMatchObject({ code });
      const missing = `ssh://${server.user}@127.0.0.1:${server.port}${r.root}/none.git`;
      await expect(
        (await prepare(remote(missing, { credential: key(server.privateKey, null) }))).done,
      ).rejects.toMatchObject({ code: 'repo_not_found' });
    } finally {
      await server.close();
    }
  });
});

test('where ssh is not installed it is said so', async () => {
  const bin = temp.make();
  const { symlinkSync } = await import('node:fs');
  symlinkSync('/usr/bin/git', join(bin, 'git'));
  symlinkSync('/bin/sh', join(bin, 'sh'));
  const { done } = await prepare(remote('ssh://git@127.0.0.1/x.git'), { PATH: bin });
  await expect(done).rejects.toMatchObject({ code: 'repo_unreachable', message: /ssh is not installed/ });
});

test('a user and password in a URL are taken out of it', () => {
  expect(parseRemote('https://u:p%40ss@h.example:8443/r.git', null)).toMatchObject({
    url: 'https://h.example:8443/r.git',
    host: 'h.example:8443',
    credential: { username: 'u', value: 'p@ss' },
  });
  expect(parseRemote('https://justatoken@h.example/r.git', null)).toMatchObject({
    url: 'https://h.example/r.git',
    credential: { username: 'x-access-token', value: 'justatoken' },
  });
  expect(parseRemote('git@h.example:a/b.git', null)).toMatchObject({ host: 'h.example', protocol: 'ssh' });
});
