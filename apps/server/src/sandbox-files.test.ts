import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodePath, type Folder } from '@hangar/contract';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startWholeServer, type WholeServer } from './testing/whole-server.ts';

const PATIENCE_MS = 60_000;
/** `caf\xe9.txt`: a name in ISO 8859-1. */
const STRANGE = Buffer.from('caf\xe9.txt', 'latin1');

type Who = 'owner' | 'other' | 'admin' | 'nobody';
let server: WholeServer;
let dir: string;
let sandbox: string;
let home: string;
const headers: Record<Who, Record<string, string>> = { owner: {}, other: {}, admin: {}, nobody: {} };

async function invited(name: string, role: string): Promise<Record<string, string>> {
  const { url } = await server.call<{ url: string }>('POST', '/invites', { role });
  const joined = await fetch(`${server.url}/api/invites/accept`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      ...{ token: new URL(url).hash.slice(1), name },
      ...{ email: `${name}@example.com`, password: 'a long enough one' },
    }),
  });
  return { cookie: joined.headers.getSetCookie()[0]?.split(';')[0] ?? '', origin: server.url };
}

function ask(
  method: string,
  path: string,
  o: { as?: Who; json?: unknown; body?: string | Uint8Array<ArrayBuffer>; type?: string } = {},
) {
  const body = o.json === undefined ? o.body : JSON.stringify(o.json);
  const type = o.json === undefined ? (o.type ?? 'application/octet-stream') : 'application/json';
  return fetch(`${server.url}/api/drivers${path}`, {
    ...{ method, headers: { ...headers[o.as ?? 'owner'], ...(body === undefined ? {} : { 'content-type': type }) } },
    ...{ signal: AbortSignal.timeout(PATIENCE_MS), ...(body === undefined ? {} : { body }) },
  });
}

const at = (path: string, more = '') => `sandbox=${sandbox}&path=${encodeURIComponent(path)}${more}`;
const atBytes = (path: Buffer, more = '') =>
  `sandbox=${sandbox}&pathBase64=${encodeURIComponent(path.toString('base64'))}${more}`;

async function answered<T = unknown>(asked: Promise<Response>): Promise<T> {
  const answer = await asked;
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${answer.status} ${text}`);
  return JSON.parse(text) as T;
}
const textOf = async (query: string) => (await ask('GET', `/files/content?${query}`)).text();
const write = (path: string, body: string) => answered(ask('PUT', `/files/content?${at(`${home}/${path}`)}`, { body }));
const namesIn = async (path: string) =>
  (await answered<Folder>(ask('GET', `/files?${at(path)}`))).entries.map(({ name }) => name);
const codeOf = async (asked: Promise<Response>) => ((await (await asked).json()) as { code?: string }).code;

beforeAll(async () => {
  server = await startWholeServer();
  dir = mkdtempSync(join(tmpdir(), 'hangar-files-'));
  headers.admin = await invited('Grace', 'admin');
  headers.owner = await invited('Ada', 'member');
  headers.other = await invited('Bob', 'member');
  sandbox = (await answered<{ id: string }>(ask('POST', '/connect', { json: {} }))).id;
  // Asked while the machine is still being made: it is waited for.
  const machine = await answered<{ home: string }>(ask('GET', `/platform?sandbox=${sandbox}`));
  home = `${machine.home}/test`;
  await answered(ask('POST', '/files/folder', { json: { sandbox, path: 'test' } }));
}, 120_000);
afterAll(async () => {
  await ask('POST', '/disconnect', { json: { id: sandbox } }).catch(() => undefined);
  await server?.close();
  rmSync(dir, { recursive: true, force: true });
});

describe('files of a sandbox', { timeout: 120_000 }, () => {
  it('come back byte for byte, with the mode that was said', async () => {
    const bytes = randomBytes(3_000_000);
    await answered(ask('PUT', `/files/content?${at(`${home}/big.bin`, '&mode=750')}`, { body: bytes }));
    const answer = await ask('GET', `/files/content?${at(`${home}/big.bin`)}`);
    expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true);
    expect(answer.headers.get('content-security-policy')).toContain('sandbox');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(await answered(ask('GET', `/files/stat?${at(`${home}/big.bin`)}`))).toMatchObject({
      ...{ name: 'big.bin', path: `${home}/big.bin`, type: 'file', size: 3_000_000, mode: 0o750 },
    });
    const head = await ask('GET', `/files/content?${at(`${home}/big.bin`, '&length=10&download=true')}`);
    expect(Buffer.from(await head.arrayBuffer()).equals(bytes.subarray(0, 10))).toBe(true);
    expect(head.headers.get('content-disposition')).toBe("attachment; filename*=UTF-8''big.bin");
  });

  it('may have names that are no text', async () => {
    const path = Buffer.concat([Buffer.from(`${home}/`), STRANGE]);
    await answered(ask('PUT', `/files/content?${atBytes(path)}`, { body: 'au lait' }));
    expect(await namesIn(home)).toContain(decodePath(STRANGE));
    const answer = await ask('GET', `/files/content?${atBytes(path, '&download=true')}`);
    expect(await answer.text()).toBe('au lait');
    const moved = { sandbox, path: decodePath(path), to: `${home}/coffee.txt` };
    await answered(ask('POST', '/files/move', { json: moved }));
    expect(await textOf(at(`${home}/coffee.txt`))).toBe('au lait');
    expect(await namesIn(home)).not.toContain(decodePath(STRANGE));
  });

  it('are listed folders first, and made and removed', async () => {
    await answered(ask('POST', '/files/folder', { json: { sandbox, path: `${home}/made/deep` } }));
    await write('made/a.txt', 'a');
    const made = await answered<Folder>(ask('GET', `/files?${at(`${home}/made`)}`));
    expect(made).toMatchObject({ path: `${home}/made`, more: false });
    expect(made.entries.map(({ name, type }) => [name, type])).toEqual([
      ['deep', 'folder'],
      ['a.txt', 'file'],
    ]);
    const removing = (recursive: boolean) =>
      ask('DELETE', '/files', { json: { sandbox, path: `${home}/made`, recursive } });
    expect(await codeOf(removing(false))).toBe('path_in_the_way');
    await answered(removing(true));
    expect(await codeOf(ask('GET', `/files?${at(`${home}/made`)}`))).toBe('file_not_found');
  });

  it('that are not there, or whose paths are none, say so', async () => {
    expect(await codeOf(ask('GET', `/files/content?${at('/nowhere/at/all')}`))).toBe('file_not_found');
    expect(await codeOf(ask('GET', `/files/stat?${at('/nowhere/at/all')}`))).toBe('file_not_found');
    expect(await codeOf(ask('PUT', `/files/content?${at('/nowhere/at/all')}`, { body: 'x' }))).toBe('file_not_found');
    // What was not taken of a body keeps nobody waiting.
    const long = { body: new Uint8Array(8_000_000) };
    for (let n = 0; n < 3; n++)
      expect(await codeOf(ask('PUT', `/files/content?${at('/nowhere/at/all')}`, long))).toBe('file_not_found');
    expect(await codeOf(ask('GET', `/files/content?${at(home)}`))).toBe('path_in_the_way');
    const nul = Buffer.from('/a\0b').toString('base64');
    expect(await codeOf(ask('GET', `/files?sandbox=${sandbox}&pathBase64=${nul}`))).toBe('validation_failed');
    expect(await codeOf(ask('GET', `/files?${at('/a', '&pathBase64=Lw==')}`))).toBe('validation_failed');
  });

  it('stay as they were when the body breaks off', async () => {
    await write('kept.txt', 'as it was');
    const broken = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new Uint8Array(2_000_000));
        setTimeout(() => controller.error(new Error('the sender is gone')), 300);
      },
    });
    const sent = fetch(`${server.url}/api/drivers/files/content?${at(`${home}/kept.txt`)}`, {
      ...{ method: 'PUT', headers: headers.owner, body: broken, duplex: 'half' },
    } as RequestInit);
    await expect(sent).rejects.toThrow();
    await expect
      .poll(async () => (await namesIn(home)).filter((name) => name.startsWith('.')), { timeout: 30_000 })
      .toEqual([]);
    expect(await textOf(at(`${home}/kept.txt`))).toBe('as it was');
  });

  it('go as a tar and come back the same, five hundred in folders', async () => {
    const source = join(dir, 'source');
    for (let n = 0; n < 500; n++) {
      mkdirSync(join(source, `folder-${n % 20}`), { recursive: true });
      writeFileSync(join(source, `folder-${n % 20}`, `file-${n}`), randomBytes(n * 7));
    }
    writeFileSync(Buffer.concat([Buffer.from(`${source}/`), STRANGE]), 'strange');
    const { stdout } = await execa('tar', ['-C', source, '-cf', '-', '.'], { encoding: 'buffer', maxBuffer: 1e9 });
    await answered(
      ask('PUT', `/files/tar?${at(`${home}/there`)}`, { body: new Uint8Array(stdout), type: 'application/x-tar' }),
    );
    const back = await ask('GET', `/files/tar?${at(`${home}/there`)}`);
    expect(back.headers.get('content-type')).toBe('application/x-tar');
    const folder = join(dir, 'back');
    mkdirSync(folder);
    await execa('tar', ['-C', folder, '-xf', '-'], { input: new Uint8Array(await back.arrayBuffer()) });
    expect(digestOf(folder)).toBe(digestOf(source));
    expect(await codeOf(ask('PUT', `/files/tar?${at(`${home}/bad`)}`, { body: 'no tar', type: 'x/y' }))).toBe(
      'tar_invalid',
    );
  });

  it('are for nobody but the owner', async () => {
    await write('secret.txt', 'mine');
    const target = at(`${home}/secret.txt`);
    const path = { sandbox, path: `${home}/secret.txt` };
    const asked: [string, string, object][] = [
      ['GET', `/files?${at(home)}`, {}],
      ['GET', `/files/stat?${target}`, {}],
      ['GET', `/files/content?${target}`, {}],
      ['PUT', `/files/content?${target}`, { body: 'theirs' }],
      ['GET', `/files/tar?${at(home)}`, {}],
      ['PUT', `/files/tar?${at(home)}`, { body: new Uint8Array(1024) }],
      ['POST', '/files/folder', { json: { ...path, path: `${home}/theirs` } }],
      ['POST', '/files/move', { json: { ...path, to: `${home}/theirs` } }],
      ['DELETE', '/files', { json: path }],
      ['GET', `/platform?sandbox=${sandbox}`, {}],
      ['GET', `/resources?sandbox=${sandbox}`, {}],
    ];
    for (const [method, route, what] of asked) {
      for (const as of ['other', 'admin'] as const)
        expect(await codeOf(ask(method, route, { ...what, as })), `${as} ${method} ${route}`).toBe('sandbox_not_found');
      expect(await codeOf(ask(method, route, { ...what, as: 'nobody' })), route).toBe('not_signed_in');
    }
    expect(await textOf(target)).toBe('mine');
    expect(await namesIn(home)).not.toContain('theirs');
  });
});

describe('the machine of a sandbox', { timeout: 120_000 }, () => {
  it('says what it is', async () => {
    expect(await answered(ask('GET', `/platform?sandbox=${sandbox}`))).toMatchObject({
      ...{ os: 'Linux', tools: { sh: expect.any(String) }, home: expect.stringMatching(/^\//) },
    });
  });

  it('says what it uses until the sandbox is closed, and then answers nothing more', async () => {
    const stream = await ask('GET', `/resources?sandbox=${sandbox}`);
    const reader = (stream.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    const until = async (pattern: RegExp) => {
      while (!pattern.test(text)) {
        const { done, value } = await reader.read();
        if (done) break;
        text += value;
      }
      expect(text).toMatch(pattern);
    };
    await until(/(event: load[\s\S]*){2}/);
    const [, data = ''] = /event: load\ndata: (.*)\n/.exec(text) ?? [];
    expect(JSON.parse(data)).toMatchObject({ elapsedMs: expect.any(Number), memoryBytes: expect.any(Number) });
    await answered(ask('POST', '/disconnect', { json: { id: sandbox } }));
    await until(/event: end\ndata: {"state":"closed"}\n\n$/);
    expect((await reader.read()).done).toBe(true);
    expect(await codeOf(ask('GET', `/files?${at(home)}`))).toBe('sandbox_closed');
    expect(await codeOf(ask('GET', `/platform?sandbox=${sandbox}`))).toBe('sandbox_closed');
  });
});

/** Of all files below a folder with their names. */
function digestOf(folder: string): string {
  const hash = createHash('sha256');
  const walk = (at: Buffer) => {
    for (const entry of readdirSync(at, { withFileTypes: true, encoding: 'buffer' }).sort((a, b) =>
      Buffer.compare(a.name, b.name),
    )) {
      const path = Buffer.concat([at, Buffer.from('/'), entry.name]);
      hash.update(path.subarray(Buffer.byteLength(folder)));
      if (entry.isDirectory()) walk(path);
      else hash.update(readFileSync(path));
    }
  };
  walk(Buffer.from(folder));
  return hash.digest('hex');
}
