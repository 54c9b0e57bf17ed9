import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** What happens to one request on its way. */
export interface Fault {
  /** Answered here in place of the store. */
  readonly status?: number;
  /** Words of the store's XML answer. */
  readonly code?: string;
  readonly delayMs?: number;
  /** The connection is cut after so many bytes of the request's body. */
  readonly cutBodyAt?: number;
  /** …of the answer's body; the store has done what was asked. */
  readonly cutAnswerAt?: number;
}

export interface FaultyLink {
  readonly endpoint: string;
  /** Every request that came, as `METHOD path?query`. */
  readonly seen: string[];
  /** Asked for each request; null lets it pass. */
  fault: (request: { method: string; url: string; nth: number }) => Fault | null;
  close(): Promise<void>;
}

/** A link to an object store that can be made to fail in chosen ways. Signatures stay valid: it changes no header. */
export async function faultyLink(port: number): Promise<FaultyLink> {
  const seen: string[] = [];
  const server = createServer((incoming, outgoing) => {
    const { method = '', url = '' } = incoming;
    seen.push(`${method} ${url}`);
    incoming.on('error', () => undefined);
    const fault = link.fault({ method, url, nth: seen.length });
    pass(port, incoming, outgoing, fault ?? {}).catch(() => incoming.socket.destroy());
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  const link: FaultyLink = {
    endpoint: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`,
    seen,
    fault: () => null,
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
  return link;
}

async function pass(port: number, incoming: IncomingMessage, outgoing: ServerResponse, fault: Fault): Promise<void> {
  if (fault.delayMs !== undefined) await sleep(fault.delayMs);
  if (fault.status !== undefined) {
    incoming.resume();
    await new Promise((done) => incoming.once('end', done));
    const text = `<?xml version="1.0"?><Error><Code>${fault.code ?? 'SlowDown'}</Code><Message>No</Message></Error>`;
    outgoing.writeHead(fault.status, { 'content-type': 'application/xml' }).end(text);
    return;
  }
  const sent = request({
    host: '127.0.0.1',
    port,
    method: incoming.method,
    path: incoming.url,
    headers: incoming.headers,
  });
  sent.on('error', () => incoming.socket.destroy());
  let inBytes = 0;
  incoming.on('data', (chunk: Buffer) => {
    inBytes += chunk.length;
    if (fault.cutBodyAt !== undefined && inBytes > fault.cutBodyAt) {
      incoming.socket.destroy();
      sent.destroy();
      return;
    }
    if (!sent.write(chunk)) {
      incoming.pause();
      sent.once('drain', () => incoming.resume());
    }
  });
  incoming.once('end', () => sent.end());
  const answer = await new Promise<IncomingMessage>((done, fail) => sent.once('response', done).once('error', fail));
  if (fault.cutAnswerAt === undefined) {
    outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
    answer.pipe(outgoing);
    return;
  }
  let outBytes = 0;
  if (fault.cutAnswerAt > 0) outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    const rest = fault.cutAnswerAt - outBytes;
    if (rest <= 0) break;
    await new Promise((done) => outgoing.write(chunk.subarray(0, rest), done));
    outBytes += chunk.length;
  }
  outgoing.socket?.destroy();
}
