import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HangarError, toWire } from '@hangar/contract/errors';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Client, createClient } from './client.ts';
import { send } from './http.ts';
import { type Link, openLink } from './link.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

/** Hangs up on the first of all that ask, as a server does that is started again. */
let server: Server;
let asked: IncomingMessage[];
let client: Client;
let link: Link;
let answer: { status: number; body: unknown };
beforeEach(async () => {
  asked = [];
  answer = { status: 200, body: {} };
  server = createServer((request, response) => {
    asked.push(request);
    if (asked.length === 1) return void request.socket.destroy();
    const { status, body } = answer;
    request.resume().on('end', () => response.writeHead(status, JSON_TYPE).end(JSON.stringify(body)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  link = openLink(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, {});
  const { signal } = new AbortController();
  client = createClient((path, call) => send(link, `/api${path}`, call, signal));
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

const keys = () => new Set(asked.map(({ headers }) => headers['idempotency-key']));

it('what does no more when it is sent twice is sent again', async () => {
  await client.jobs.cancel({ id: 'j_7k2m9p4x' });
  expect(asked.map(({ method, url }) => `${method} ${url}`)).toEqual(Array(2).fill('POST /api/jobs/j_7k2m9p4x/cancel'));
  expect(keys()).toEqual(new Set([undefined]));
});

it('what makes something is sent again with the key of the first try, and the next call has another', async () => {
  await client.jobs.retry({ id: 'j_7k2m9p4x' });
  expect(asked).toHaveLength(2);
  expect([...keys()]).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/)]);
  await client.jobs.retry({ id: 'j_7k2m9p4x' });
  expect(keys().size).toBe(2);
});

it('what would be done twice is sent once', async () => {
  await expect(client.access.createSignInLink({ id: 'u_1' })).rejects.toMatchObject({ code: 'server_unreachable' });
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(asked).toHaveLength(1);
});

it('what is gone when it is removed again was removed, and that its answer got lost is no failure', async () => {
  answer = { status: 404, body: toWire(new HangarError('api_key_not_found'), 'r') };
  expect(await client.access.removeApiKey({ id: 'k_1' })).toEqual({ done: true });
  expect(asked.map(({ method }) => method)).toEqual(['DELETE', 'DELETE']);
  // The first answer is what it says, and so is one of whatever is no Hangar.
  const removed = () => send(link, '/api/api-keys/k_1', { method: 'DELETE' }, new AbortController().signal);
  expect((await removed()).status).toBe(404);
  for (const body of ['Not here', toWire(new HangarError('route_not_found'), 'r')]) {
    asked = [];
    answer = { status: 404, body };
    const refused = await removed();
    expect([asked.length, refused.status, await refused.json()]).toEqual([2, 404, JSON.parse(JSON.stringify(body))]);
  }
  asked = [];
  answer = { status: 404, body: toWire(new HangarError('job_not_found'), 'r') };
  expect((await send(link, '/api/jobs/j_1/cancel', { method: 'POST' }, new AbortController().signal)).status).toBe(404);
});
