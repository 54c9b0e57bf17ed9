import { contract, metaOf, type RawOperation, rawOperations } from '@hangar/contract';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startWholeServer, type WholeServer } from './testing/whole-server.ts';

let server: WholeServer;
beforeAll(async () => {
  server = await startWholeServer();
});
afterAll(() => server?.close());

const all = [
  ...Object.values(contract).flatMap((operations) =>
    Object.values(operations).map((operation) => ({ ...operation['~orpc'].route, meta: metaOf(operation) })),
  ),
  ...Object.values(rawOperations).flatMap((operations) => Object.values<RawOperation>(operations)),
].map(({ method = '', path = '', meta }) => ({ method, path: path.replace(/\{\+?\w+\}/g, 'some'), meta }));

/** The code of an answer. OAuth has words of its own; what is open has none. */
async function codeOf(answer: Response): Promise<string> {
  const text = await answer.text();
  return answer.ok ? 'ok' : String(JSON.parse(text).code ?? JSON.parse(text).error);
}

it('every operation of the contract is served, and refuses who is nobody unless it is public', async () => {
  for (const { method, path, meta } of all) {
    const code = await codeOf(await fetch(`${server.url}/api${path}`, { method, signal: AbortSignal.timeout(20_000) }));
    const { identities } = meta;
    if (identities === 'public') expect(code, path).toMatch(/^(ok|validation_failed|invalid_request)$/);
    else expect(code, path).toBe(identities.includes('worker') ? 'worker_token_invalid' : 'not_signed_in');
  }
});

it('a key opens neither what is for browsers nor what is for workers', async () => {
  for (const { method, path, meta } of all) {
    if (meta.identities === 'public' || meta.identities.includes('apiKey')) continue;
    expect(await codeOf(await server.fetched(method, `/api${path}`)), path).toBe(
      meta.identities.includes('worker') ? 'worker_token_invalid' : 'session_only',
    );
  }
});

it('who is no admin reaches nothing of admins, and of everybody only what is their own', async () => {
  const { url } = await server.call<{ url: string }>('POST', '/invites', { role: 'member' });
  const joined = await fetch(`${server.url}/api/invites/accept`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      ...{ token: new URL(url).hash.slice(1), name: 'Bob' },
      ...{ email: 'bob@example.com', password: 'a long enough one' },
    }),
  });
  const headers = { cookie: joined.headers.getSetCookie()[0]?.split(';')[0] ?? '', origin: server.url };
  const asBob = async (method: string, path: string) =>
    codeOf(await fetch(`${server.url}/api${path}`, { method, headers, signal: AbortSignal.timeout(20_000) }));
  expect(await asBob('GET', '/users/me')).toBe('ok');
  for (const { method, path, meta } of all)
    if (meta.admin === 'only') expect(await asBob(method, path), path).toBe('admin_only');
  expect(await asBob('GET', '/jobs?mine=false')).toBe('admin_only');
  expect(await codeOf(await server.fetched('GET', '/api/jobs?mine=false'))).toBe('ok');
});
