import { Agent, createServer, request, type Server } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { closed, endServers } from './listen.ts';

const servers: Server[] = [];
const agents: Agent[] = [];
afterEach(() => {
  for (const server of servers) server.closeAllConnections();
  for (const agent of agents) agent.destroy();
});

/** A server whose answers wait until they are let go; its connections are kept. */
async function slowServer() {
  const waiting: (() => void)[] = [];
  const server = createServer((_request, response) => void waiting.push(() => response.end('whole')));
  server.keepAliveTimeout = 75_000;
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const agent = new Agent({ keepAlive: true });
  agents.push(agent);
  const ask = () =>
    new Promise<string>((done, fail) => {
      const sent = request({ host: '127.0.0.1', port, agent }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        answer.on('end', () => done(text)).on('error', fail);
      });
      sent.on('error', fail).end();
    });
  const arrived = async (count: number) => {
    while (waiting.length < count) await new Promise((done) => setTimeout(done, 5));
  };
  return { server, waiting, ask, arrived };
}

test('what is in hand is answered, and a kept connection holds nobody up', async () => {
  const { server, waiting, ask, arrived } = await slowServer();
  const answers = [ask(), ask()];
  await arrived(2);
  const ending = endServers([server], () => closed(server), undefined);
  await expect(ask()).rejects.toThrow(/ECONNREFUSED/);
  for (const answer of waiting) answer();
  expect(await Promise.all(answers)).toEqual(['whole', 'whole']);
  await ending;
});

test('who does not end is cut off when the time is over', async () => {
  const { server, ask, arrived } = await slowServer();
  const asked = ask().catch((error: Error) => error.message);
  await arrived(1);
  const over = new AbortController();
  const ending = endServers([server], () => closed(server), over.signal);
  over.abort();
  await ending;
  expect(await asked).toMatch(/hang up|ECONNRESET/);
});
