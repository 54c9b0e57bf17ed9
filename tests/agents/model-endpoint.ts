import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { callFor, type Deed } from './deeds.ts';
import { anthropic } from './wire/anthropic.ts';
import { google } from './wire/google.ts';
import { openaiChat } from './wire/openai-chat.ts';
import { openaiResponses } from './wire/openai-responses.ts';
import { type Answer, type Ask, type Json, object, sample, type Wire } from './wire/wire.ts';

const WIRES = { anthropic, openaiResponses, openaiChat, google } as const;
const MAX_BODY = 16 * 1024 * 1024;

/** A model that does one deed an answer, each with its word, and then says that it is done. */
export interface Script {
  readonly key: string;
  readonly turns: readonly { readonly says: string; readonly does: Deed }[];
  readonly closing: string;
}

export interface Heard extends Ask {
  readonly wire: keyof typeof WIRES;
  readonly path: string;
  readonly status: number;
}

export interface ModelEndpoint {
  readonly url: string;
  readonly heard: readonly Heard[];
  /** What an agent asked that this endpoint does not know or cannot answer: none, when all is well. */
  readonly complaints: readonly string[];
  close(): Promise<void>;
}

/** What each answer claims to have cost, by its place in the conversation. */
export const tokensOf = (turn: number): Answer['tokens'] => ({ input: 1000 + 100 * turn, cached: 300, output: 20 });

/**
 * A model on loopback that speaks the wire formats of the big three. It answers with calls of the agent's own tools, by a
 * script; what a real one would refuse (a wrong key, an unknown route) it refuses in the same words.
 */
export async function startModelEndpoint(script: Script): Promise<ModelEndpoint> {
  const heard: Heard[] = [];
  const complaints: string[] = [];
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      complaints.push(error instanceof Error ? error.message : String(error));
      response.writeHead(500).end();
    });
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? '/', 'http://model').pathname;
    const bytes = await bodyOf(request);
    const say = (status: number, contentType: string, body: string) =>
      response.writeHead(status, { 'content-type': contentType }).end(body);
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
    const body = bytes === '' ? {} : object(JSON.parse(bytes));
    for (const [name, wire] of Object.entries(WIRES) as [keyof typeof WIRES, Wire][]) {
      const ask = wire.read(path, headers, body);
      if (!ask) continue;
      const allowed = ask.key === script.key;
      heard.push({ ...ask, wire: name, path, status: allowed ? 200 : 401 });
      if (!allowed) return void say(401, 'application/json', JSON.stringify(wire.error(401, 'invalid x-api-key')));
      if (path.endsWith('/count_tokens'))
        return void say(200, 'application/json', JSON.stringify({ input_tokens: tokensOf(0).input }));
      if (ask.model === '') complaints.push(`${path}: no model`);
      const { contentType, body: answered } = wire.answer(ask, answerTo(ask));
      return void say(200, contentType, answered);
    }
    complaints.push(`${request.method} ${path}`);
    const unknown: Json = { error: { message: `no route ${path}` } };
    say(404, 'application/json', JSON.stringify(unknown));
  }

  function answerTo(ask: Ask): Answer {
    const tokens = tokensOf(ask.results.length);
    if (ask.answerSchema !== null) return { text: JSON.stringify(sample(ask.answerSchema)), call: null, tokens };
    // Without tools it is a question beside the work: a title for the session.
    if (ask.tools.length === 0) return { text: 'A title', call: null, tokens };
    const turn = script.turns[ask.results.length];
    if (!turn) return { text: script.closing, call: null, tokens };
    return { text: turn.says, call: callFor(turn.does, ask.tools), tokens };
  }

  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the endpoint has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    heard,
    complaints,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw new Error('the request is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
