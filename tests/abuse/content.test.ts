import { existsSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Job } from '@hangar/contract';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { workerSocketFolder } from '../../apps/server/src/control.ts';
import { bundleOf, git, makeRepo } from '../../packages/worker/src/testing/fixtures.ts';
import { chromiumPath, NO_CHROMIUM, openBrowser } from '../web/browser.ts';
import { AbusedServer } from './abused-server.ts';

const HTML = `<img src=x onerror="window.pwned=1"><script>window.pwned=1</script><svg onload="window.pwned=1">`;
/** Clipboard, title, cursor, screen, device strings, in both spellings, and signs that turn text around. */
const SEQUENCES = [
  ...['\u001b]52;c;cHduZWQ=\u0007', '\u001b]0;pwned\u001b\\', '\u001b[2J', '\u001b[10A', '\u001b[?1049h', '\u001bc'],
  ...['\u001bP$q\u001b\\', '\u001b_pwned\u001b\\', '\u001b[5n', '\u009b2J', '\u009d0;pwned\u009c', '\u0090pwned\u009c'],
  ...['\u0007', '\b\b\b', '\u202etxt.exe', '\u2066x'],
].join('');
const TITLE = `${HTML}${SEQUENCES}`.slice(0, 199);

let server: AbusedServer;
let job: Job;

beforeAll(async () => {
  server = await AbusedServer.start();
  const { ada } = server.people;
  const repo = makeRepo(join(server.process.dir, 'repo'), { 'a.txt': 'a\n' });
  const bundle = await server.upload(ada, bundleOf(repo.dir, join(server.process.dir, 'bundle')));
  const payload = Buffer.from(`${HTML}\n${SEQUENCES}\n${SEQUENCES}${HTML}\n\u001b[31mred\u001b[0m\n`).toString(
    'base64',
  );
  const named = Buffer.from(`<img src=x onerror=pwned>\u001b]0;pwned\u0007.html`).toString('base64');
  const script = [
    `echo ${payload} | base64 -d; echo ${payload} | base64 -d >&2`,
    `name=$(echo ${named} | base64 -d)`,
    `echo ${payload} | base64 -d > "$name"; cp "$name" "$HANGAR_ARTIFACTS/$name"`,
    `mkdir -p "$HANGAR_ARTIFACTS/..x/a b"; echo x > "$HANGAR_ARTIFACTS/..x/a b/-rf"; ln -s /etc/passwd "$HANGAR_ARTIFACTS/link"`,
  ];
  const sent = await server.must('POST', '/jobs', {
    as: ada,
    json: {
      spec: `# ${HTML} ${SEQUENCES}\n\n${HTML}\n\n\`\`\`sh\n${script.join('\n')}\n\`\`\`\n`,
      title: TITLE,
      repo: { bundle, commit: repo.commit, name: `${HTML}\u001b]0;pwned\u0007`.slice(0, 190), ref: '<b>main</b>' },
    },
  });
  job = await server.ended(ada, String(sent.id));
  expect(job, job.reason).toMatchObject({ state: 'succeeded', diff: { filesChanged: 1 } });
}, 120_000);
afterAll(() => server?.process.remove());

const asAda = (args: readonly string[], cwd?: string) =>
  server.process.hangar(args, {
    env: { HANGAR_TOKEN: server.people.ada.apiKey },
    ...(cwd === undefined ? {} : { cwd }),
  });

describe('what a job is called and prints', () => {
  it('has nothing to say to a terminal', async () => {
    const checkout = join(server.process.dir, 'repo');
    const looks = [
      ...[['status', job.id], ['status', job.id, '--json'], ['jobs'], ['jobs', '--json'], ['logs', job.id]],
      ...[
        ['logs', job.id, '--json'],
        ['logs', job.id, '--timestamps'],
        ['artifacts', 'list', job.id],
        ['activity', 'list'],
      ],
      ...[
        ['pull', job.id, '--stat'],
        ['pull', job.id, '--check'],
        ['pull', job.id, '--undo'],
        ['compare', job.id, job.id],
      ],
      ['search', 'pwned'],
    ];
    for (const args of looks) {
      const { stdout, stderr } = await asAda(args, checkout);
      const shown = `${stdout}\n${stderr}`;
      // Colours and line ends are all that may be there.
      const plain = shown.replaceAll(/\u001b\[[0-9;]*m/g, '').replaceAll(/[\n\t]/g, '');
      expect(
        /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/.exec(plain)?.[0],
        `${args.join(' ')}: ${JSON.stringify(shown)}`,
      ).toBeUndefined();
    }
    expect((await asAda(['logs', job.id])).stdout).toContain('red');
  });

  it('is text to a browser, and its files are downloads', async ({ skip }) => {
    if (chromiumPath === undefined) return skip(NO_CHROMIUM);
    const { ada } = server.people;
    const browser = await openBrowser(chromiumPath);
    try {
      const [name = '', value = ''] = ada.cookie.split('=');
      await browser.context.addCookies([{ name, value, url: server.url }]);
      const page = await browser.context.newPage();
      const dialogs: string[] = [];
      page.on('dialog', (dialog) => {
        dialogs.push(dialog.message());
        void dialog.dismiss();
      });
      for (const path of ['/jobs', `/jobs/${job.id}`, '/operations', `/compare?ids=${job.id}`]) {
        await page.goto(`${server.url}${path}`, { waitUntil: 'load' });
        const text = page.getByText('onerror=').first();
        // Which of these show the title depends on how they are laid out; the two of jobs must.
        const shown = text.waitFor({ state: 'attached' });
        await (path.startsWith('/jobs') ? shown : shown.catch(() => undefined));
        const made = {
          ran: await page.evaluate<boolean>("'pwned' in window"),
          elements: await page.locator('[onerror], [onload], img[src="x"], a[href^="javascript:"]').count(),
        };
        expect(made, path).toEqual({ ran: false, elements: 0 });
      }
      for (const tab of await page.getByRole('tab').all()) await tab.click();
      expect(dialogs).toEqual([]);
    } finally {
      await browser.close();
    }
    const { items } = await server.must('GET', `/jobs/${job.id}/artifacts`, { as: ada });
    for (const { name } of items as { name: string }[]) {
      expect(name).toMatch(/^[A-Za-z0-9_][A-Za-z0-9._-]*$/);
      const answer = await server.ask('GET', `/jobs/${job.id}/artifacts/${name}`, { as: ada });
      expect(answer.headers.get('content-disposition')).toMatch(/^attachment/);
      expect(answer.headers.get('content-security-policy')).toContain('sandbox');
      expect(answer.headers.get('content-type')).not.toContain('html');
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
      expect(answer.text).not.toContain('root:');
    }
  }, 90_000);

  it.each([
    '../../etc/passwd',
    '..%2f..%2fetc%2fpasswd',
    '%2e%2e/%2e%2e/x',
    '/etc/passwd',
    '%2fetc%2fpasswd',
    '..%5c..%5cx',
    'a%00b',
    '.',
    '%2e',
    'x'.repeat(400),
  ])('gives nothing out under the name %s', async (name) => {
    // By hand: fetch would resolve the dots itself.
    const status = await new Promise<number>((resolve, reject) => {
      const path = `/api/jobs/${job.id}/artifacts/${name}`;
      const headers = { authorization: `Bearer ${server.people.ada.apiKey}` };
      request({ host: '127.0.0.1', port: server.process.port, path, headers }, (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      })
        .on('error', reject)
        .end();
    });
    expect([400, 404]).toContain(status);
  });
});

describe('what a job has changed', () => {
  it('starts nothing while it is pulled, where hooks are kept in the repository', async () => {
    const { ada } = server.people;
    const { dir } = server.process;
    const repo = makeRepo(join(dir, 'hooked'), { 'a.txt': 'a\n', '.githooks/README': 'hooks\n' });
    const bundle = await server.upload(ada, bundleOf(repo.dir, join(dir, 'hooked-bundle')));
    const proof = join(dir, 'pwned');
    const script = [
      'for hook in post-index-change reference-transaction post-checkout post-applypatch; do',
      `  printf '#!/bin/sh\\ntouch ${proof}\\n' > .githooks/$hook; chmod +x .githooks/$hook`,
      'done',
      'echo A > a.txt',
    ];
    const sent = await server.must('POST', '/jobs', {
      as: ada,
      json: {
        spec: `# Hook\n\n\`\`\`sh\n${script.join('\n')}\n\`\`\`\n`,
        repo: { bundle, commit: repo.commit, name: 'hooked' },
      },
    });
    const { id, state } = await server.ended(ada, String(sent.id));
    expect(state).toBe('succeeded');
    const config = { 'core.hooksPath': '.githooks', 'user.name': 'Ada', 'user.email': 'ada@example.org' };
    for (const [name, value] of Object.entries(config)) git(repo.dir, 'config', name, value);
    for (const args of [['--check'], [], ['--undo'], ['--branch', 'theirs'], ['--undo']]) {
      const { exitCode, stderr } = await asAda(['pull', ...(args[0] === '--undo' ? [] : [id]), ...args], repo.dir);
      expect(exitCode, `${args} ${stderr}`).toBe(0);
      if (args.length === 0) expect(existsSync(join(repo.dir, '.githooks/post-index-change'))).toBe(true);
    }
    expect(existsSync(proof)).toBe(false);
  }, 60_000);
});

describe('what a job is asked with', () => {
  const SPEC = '# X\n\n```sh\ntrue\n```\n';
  it.each([
    ...[
      '--upload-pack=touch /tmp/pwned',
      '-oProxyCommand=touch /tmp/pwned',
      'ext::sh -c touch% /tmp/pwned',
      'file:///etc',
    ],
    ...[
      'ssh://-oProxyCommand=touch/x',
      'ssh://%2doProxyCommand=touch/x',
      '-oProxyCommand=x@host:y',
      'git@-oProxyCommand=x:y',
    ],
    ...[
      'https://',
      'https://h/\u0000x',
      'https://h/\nx',
      '/etc',
      '../x',
      'C:\\x',
      'javascript:alert(1)',
      'http://[::1',
    ],
  ])('the repository %s is refused', async (url) => {
    const { ada } = server.people;
    const answer = await server.ask('POST', '/jobs', { as: ada, json: { spec: SPEC, repo: { url } } });
    expect(answer.status, answer.text).toBe(400);
  });
  it.each([
    ...[
      '--upload-pack=x',
      '-x',
      'a..b',
      'a b',
      'a\nb',
      'a^b',
      'a:b',
      '@{-1}',
      'x.lock',
      '/x',
      'x/',
      '.x',
      'a\\b',
      'a\u0000',
    ],
  ])('the ref %s is refused', async (ref) => {
    const json = { spec: SPEC, repo: { url: 'https://git.invalid/x', ref } };
    expect((await server.ask('POST', '/jobs', { as: server.people.ada, json })).status).toBe(400);
  });
  it.each([
    [{ image: '--privileged' }],
    [{ image: 'a b' }],
    [{ spec: `---\nimage: --privileged\n---\n${SPEC}` }],
    [{ credential: '../x' }],
    [{ credential: '--x' }],
    [{ profile: '../../x' }],
    [{ group: '-x' }],
    [{ env: { LD_PRELOAD: '/x' } }],
    [{ env: { GIT_SSH_COMMAND: 'x' } }],
    [{ env: { NODE_OPTIONS: '-r x' } }],
    [{ env: { 'A=B': 'x' } }],
    [{ env: { HANGAR_WORKER_URL: 'x' } }],
    [{ repo: { url: 'https://git.invalid/x', commit: '--x' } }],
    [{ repo: { bundle: '../../x', commit: 'a'.repeat(40) } }],
  ])('%j is refused', async (over) => {
    const json = { spec: SPEC, repo: { url: 'https://git.invalid/x' }, ...over };
    const answer = await server.ask('POST', '/jobs', { as: server.people.ada, json });
    expect(answer.status, answer.text).toBe(400);
  });

  it('a repository on the machine itself is refused where that is not allowed', async () => {
    const strict = await AbusedServer.start({ HANGAR_ALLOW_LOCAL_REPOS: 'false' });
    try {
      for (const url of [
        'http://127.0.0.1:7070/x',
        'http://0x7f000001/x',
        'ssh://git@localhost/x',
        'http://169.254.169.254/x',
      ]) {
        const { status, json } = await strict.ask('POST', '/jobs', {
          as: strict.people.ada,
          json: { spec: SPEC, repo: { url } },
        });
        expect([status, json?.code], url).toEqual([403, 'repo_url_refused']);
      }
    } finally {
      await strict.process.remove();
    }
  }, 60_000);
});

describe('bodies that are more than they seem', () => {
  const resident = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.process.pid}/status`, 'utf8'))?.[1]);

  it('compressed requests are not unpacked', async () => {
    const bomb = new Uint8Array(gzipSync(Buffer.alloc(200 * 1024 * 1024)));
    const before = resident();
    for (const [path, type] of [
      ['/jobs', 'application/json'],
      ['/worker/logs', 'application/json'],
      ['/auth/token', 'application/x-www-form-urlencoded'],
    ] as const) {
      const headers = { 'content-type': type, 'content-encoding': 'gzip' };
      const answer = await server.ask('POST', path, {
        ...(path === '/jobs' ? { as: server.people.ada } : {}),
        body: bomb,
        headers,
      });
      expect(answer.status, path).toBeGreaterThanOrEqual(400);
      expect(answer.status, path).toBeLessThan(500);
    }
    expect(resident() - before).toBeLessThan(150 * 1024);
  });

  it('deep, wide and long ones are refused, and the server goes on', async () => {
    const { ada } = server.people;
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
    const json = { 'content-type': 'application/json' };
    const bodies: readonly [string, string][] = [
      ['/jobs', deep],
      ['/jobs', `{"spec":${JSON.stringify('# X')},"repo":${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}}`],
      ['/devops/activity', `{"operation":"x","steps":${deep}}`],
      ['/jobs', `{"__proto__":{"spec":"x"},"constructor":{"prototype":{}},"spec":1}`],
      ['/jobs', JSON.stringify({ spec: '```sh\nx\n'.repeat(100_000), repo: { url: 'https://git.invalid/x' } })],
      ['/jobs', JSON.stringify({ spec: `# ${'#'.repeat(1_000_000)}x`, repo: { url: 'https://git.invalid/x' } })],
      ['/jobs', JSON.stringify({ spec: 'x'.repeat(9 * 1024 * 1024), repo: { url: 'https://git.invalid/x' } })],
      ['/credentials', JSON.stringify({ name: 'x', kind: 'ssh-key', value: 'x'.repeat(5 * 1024 * 1024) })],
    ];
    for (const [path, body] of bodies) {
      // A body that is too large by its announced length is refused while it is still being sent: then its sender may see only that.
      const sent = server.ask('POST', path, { as: ada, body, headers: json });
      const answer = await sent.catch((error: Error) => {
        const { code } = (error.cause ?? {}) as { code?: string };
        expect(['EPIPE', 'ECONNRESET', 'UND_ERR_SOCKET'], `${path} ${error.message}`).toContain(code);
        expect(body.length).toBeGreaterThan(4 * 1024 * 1024);
        return { status: 413, text: '' };
      });
      expect([400, 413], `${path} ${body.slice(0, 40)}: ${answer.text.slice(0, 200)}`).toContain(answer.status);
    }
    expect((await server.ask('GET', '/users/me', { as: ada })).status).toBe(200);
  });

  it('paths are what the router says, however they are spelled', async () => {
    const lines: readonly [string, number | readonly number[]][] = [
      ['GET /%61pi/events', 401],
      ['GET /%61pi/users/me', [401, 404]],
      ['POST /%61pi/uploads', 401],
      ['GET //api/users/me', [400, 401, 404]],
      ['GET /api/jobs/%ff', 400],
      ['GET /api/jobs/%zz', 400],
      ['GET http://evil.example/api/users/me', [400, 401, 404]],
      ['GET /api/worker/../users/me', [401, 404]],
    ];
    for (const [line, expected] of lines) {
      const answer = await rawAnswer({ port: server.process.port }, line);
      expect([expected].flat(), `${line}: ${answer}`).toContain(Number(answer.split(' ')[1]));
    }
  });

  it('the socket for workers serves them alone', async () => {
    const socket = join(workerSocketFolder(join(server.process.dir, 'data')), 'worker.sock');
    for (const line of [
      'GET /api/server',
      'GET /api/worker/../server',
      'GET /api/worker/%2e%2e/server',
      'GET /api/worker/..%2fserver',
      'GET /',
      'GET /api/worker',
    ])
      expect(await rawAnswer({ path: socket }, line), line).toMatch(/^HTTP\/1\.1 (404|401)/);
    expect(await rawAnswer({ path: socket }, 'GET /api/worker/uploads/bundle')).toMatch(/^HTTP\/1\.1 401/);
  });
});

/** Sends one request line as it is, and answers what came back. */
function rawAnswer(to: { port: number } | { path: string }, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = 'path' in to ? connect(to.path) : connect(to.port, '127.0.0.1');
    let text = '';
    socket.setEncoding('utf8').setTimeout(10_000, () => socket.destroy());
    socket.on('data', (part: string) => {
      text += part;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
    socket.write(`${line} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
  });
}
