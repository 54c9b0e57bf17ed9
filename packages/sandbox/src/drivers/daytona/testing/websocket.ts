import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/** The server's end of a WebSocket: as much of RFC 6455 as Daytona uses, strict in what it takes. */
export interface Socket {
  binary(bytes: Uint8Array): void;
  text(text: string): void;
  close(code: number, reason?: string): void;
  /** As a network that breaks. */
  cut(): void;
  onMessage(hear: (bytes: Buffer, isText: boolean) => void): void;
  onClose(hear: () => void): void;
}

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const MOST = 4 * 1024 * 1024;

/** By hand: a library would be one more dependency, for four kinds of frames in a test. */
export function acceptWebSocket(request: IncomingMessage, socket: Duplex, protocol: string | null): Socket | null {
  const key = request.headers['sec-websocket-key'];
  if (request.method !== 'GET' || key === undefined || request.headers['sec-websocket-version'] !== '13') {
    socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    return null;
  }
  const accept = createHash('sha1').update(`${key}${GUID}`).digest('base64');
  socket.write(
    [
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Accept: ${accept}`,
      ...(protocol === null ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
      '\r\n',
    ].join('\r\n'),
  );

  let held = Buffer.alloc(0);
  let isClosed = false;
  const messages: ((bytes: Buffer, isText: boolean) => void)[] = [];
  const closes: (() => void)[] = [];
  const over = () => {
    if (isClosed) return;
    isClosed = true;
    for (const hear of closes) hear();
  };
  socket.on('close', over);
  socket.on('error', over);
  socket.on('data', (bytes: Buffer) => {
    held = Buffer.concat([held, bytes]);
    for (;;) {
      const frame = readFrame(held);
      if (frame === 'more') return;
      // A client masks what it sends, and sends no more than it may.
      if (frame === 'wrong') return api.close(1002);
      held = held.subarray(frame.length);
      if (frame.opcode === 8) {
        if (!isClosed) send(8, frame.payload);
        socket.end();
        return over();
      }
      if (frame.opcode === 9) send(10, frame.payload);
      if (frame.opcode === 1 || frame.opcode === 2) {
        for (const hear of messages) hear(frame.payload, frame.opcode === 1);
      }
    }
  });

  function send(opcode: number, payload: Uint8Array): void {
    if (socket.writableEnded || socket.destroyed) return;
    const { length } = payload;
    const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
    head[0] = 0x80 | opcode;
    head[1] = length < 126 ? length : length < 65_536 ? 126 : 127;
    if (head.length === 4) head.writeUInt16BE(length, 2);
    if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
    socket.write(Buffer.concat([head, payload]));
  }

  const api: Socket = {
    binary: (bytes) => send(2, bytes),
    text: (text) => send(1, Buffer.from(text)),
    close(code, reason = '') {
      const payload = Buffer.concat([Buffer.alloc(2), Buffer.from(reason)]);
      payload.writeUInt16BE(code, 0);
      send(8, payload);
      socket.end();
      over();
    },
    cut() {
      socket.destroy();
      over();
    },
    onMessage: (hear) => void messages.push(hear),
    onClose: (hear) => void closes.push(hear),
  };
  return api;
}

function readFrame(held: Buffer): { opcode: number; payload: Buffer; length: number } | 'more' | 'wrong' {
  if (held.length < 2) return 'more';
  const first = held[0] ?? 0;
  const second = held[1] ?? 0;
  if ((first & 0x80) === 0 || (second & 0x80) === 0) return 'wrong';
  const short = second & 0x7f;
  const at = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (held.length < at + 4) return 'more';
  const size = short === 126 ? held.readUInt16BE(2) : short === 127 ? Number(held.readBigUInt64BE(2)) : short;
  if (size > MOST) return 'wrong';
  if (held.length < at + 4 + size) return 'more';
  const mask = held.subarray(at, at + 4);
  const payload = Buffer.from(held.subarray(at + 4, at + 4 + size));
  for (let index = 0; index < payload.length; index += 1)
    payload[index] = (payload[index] ?? 0) ^ (mask[index % 4] ?? 0);
  return { opcode: first & 0x0f, payload, length: at + 4 + size };
}
