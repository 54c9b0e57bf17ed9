import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Client, createClient } from './client.ts';
import { send } from './http.ts';
import { openLink } from './link.ts';

/** Hangs up on the first of all that ask, as a server does that is started again. */
let server: Server;
let asked: IncomingMessage[];
let client: Client;
beforeEach(async () => {
  asked = [];
  server = createServer((request, response) => {
    asked.push(request);
    if (asked.length === 1) return void request.socket.destroy();
    request.resume().on('end', () => response.setHeader('content-type', 'application/json').end('{}'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const link = openLink(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, {});
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
