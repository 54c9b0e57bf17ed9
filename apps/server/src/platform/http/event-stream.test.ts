import { unheardDuring } from '@hangar/sandbox/testing/unheard';
import Fastify from 'fastify';
import { expect, it } from 'vitest';
import { openEventStream } from './event-stream.ts';

it('what is written to a stream after its end ends nobody', async () => {
  const app = Fastify();
  app.get('/', (_request, reply) => {
    const stream = openEventStream(reply);
    // As a heartbeat does, while the end waits for a reader that takes nothing.
    stream.end('event: last\n\n');
    for (let turn = 0; turn < 3; turn++) stream.write('event: alive\n\n');
  });
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  const unheard = await unheardDuring(async () => {
    expect(await (await fetch(url)).text()).toMatch(/event: last\n\n$/);
  });
  await app.close();
  expect(unheard).toEqual([]);
});
