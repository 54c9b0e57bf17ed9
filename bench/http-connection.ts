import { connect, type Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/**
 * One kept-alive HTTP/1.1 connection, one request at a time, with next to nothing around it: on a small machine the client must not
 * be what is measured. Throws when the connection breaks; the next request connects again.
 */
export function httpConnection(o: { host: string; port: number; headers: Readonly<Record<string, string>> }) {
  const head = [`host: ${o.host}:${o.port}`, ...Object.entries(o.headers).map(([name, value]) => `${name}: ${value}`)];
  const common = `${head.join('\r\n')}\r\n`;
  let socket: Socket | null = null;
  let received: Buffer = Buffer.alloc(0);
  let waiting: PromiseWithResolvers<Answer> | null = null;

  function fail(error: Error): void {
    socket?.destroy();
    socket = null;
    received = Buffer.alloc(0);
    waiting?.reject(error);
    waiting = null;
  }

  function open(): Socket {
    const made = connect({ host: o.host, port: o.port, noDelay: true });
    made.on('error', (error) => made === socket && fail(error));
    made.on('close', () => made === socket && fail(new Error('the connection was closed')));
    made.on('data', (bytes: Buffer) => {
      received = received.length === 0 ? bytes : Buffer.concat([received, bytes]);
      const answer = parse(received);
      if (!answer) return;
      received = Buffer.alloc(0);
      waiting?.resolve(answer);
      waiting = null;
    });
    return made;
  }

  return {
    request(method: string, path: string, body?: string, headers = ''): Promise<Answer> {
      socket ??= open();
      const asked = Promise.withResolvers<Answer>();
      waiting = asked;
      const length =
        body === undefined ? '' : `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`;
      socket.write(`${method} ${path} HTTP/1.1\r\n${common}${headers}${length}\r\n${body ?? ''}`);
      return asked.promise;
    },
    close(): void {
      socket?.destroy();
      socket = null;
    },
  };
}

/** Null: not all there yet. */
function parse(bytes: Buffer): Answer | null {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const head = bytes.toString('latin1', 0, end).toLowerCase();
  const status = Number(head.slice(9, 12));
  const length = /\r\ncontent-length: (\d+)/.exec(head)?.[1];
  if (length !== undefined) {
    const last = end + 4 + Number(length);
    return bytes.length < last ? null : { status, body: bytes.toString('utf8', end + 4, last) };
  }
  if (!head.includes('\r\ntransfer-encoding: chunked')) return { status, body: '' };
  if (!bytes.toString('latin1', Math.max(0, bytes.length - 5)).endsWith('0\r\n\r\n')) return null;
  return { status, body: dechunk(bytes.toString('utf8', end + 4)) };
}

function dechunk(text: string): string {
  const bytes = Buffer.from(text);
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const line = bytes.indexOf('\r\n', at);
    const size = Number.parseInt(bytes.toString('latin1', at, line), 16);
    if (!(size > 0)) break;
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 4 + size;
  }
  return Buffer.concat(parts).toString();
}
