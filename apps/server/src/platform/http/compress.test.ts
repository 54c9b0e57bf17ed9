import { gunzipSync } from 'node:zlib';
import Fastify from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compressJson } from './compress.ts';

const LONG = { items: Array.from({ length: 100 }, (_, n) => ({ id: `t_${n}`, title: 'A thing' })) };

describe('answers in JSON', () => {
  const app = Fastify();
  beforeAll(async () => {
    app.addHook('onSend', compressJson);
    app.get('/long', (_request, reply) => reply.type('application/json').send(JSON.stringify(LONG)));
    app.get('/short', () => ({ ok: true }));
    app.get('/text', () => 'x'.repeat(5000));
    await app.ready();
  });
  afterAll(() => app.close());

  const get = (url: string, accepted?: string) =>
    app.inject({ url, headers: accepted === undefined ? {} : { 'accept-encoding': accepted } });

  it.each(['gzip', 'gzip, deflate, br, zstd', 'br;q=1, gzip;q=0.5'])('are compressed for %s', async (accepted) => {
    const answer = await get('/long', accepted);
    expect(answer.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'accept-encoding' });
    expect(Number(answer.headers['content-length'])).toBe(answer.rawPayload.length);
    expect(JSON.parse(gunzipSync(answer.rawPayload).toString())).toEqual(LONG);
  });

  it.each([undefined, 'identity', 'br', 'gzip;q=0', 'gzip;q=0.000'])(
    'are sent as they are for %s',
    async (accepted) => {
      const answer = await get('/long', accepted);
      expect(answer.headers['content-encoding']).toBeUndefined();
      expect(answer.headers.vary).toBe('accept-encoding');
      expect(answer.json()).toEqual(LONG);
    },
  );

  it('short ones and other types are left alone', async () => {
    for (const url of ['/short', '/text'])
      expect((await get(url, 'gzip')).headers['content-encoding'], url).toBeUndefined();
  });
});
