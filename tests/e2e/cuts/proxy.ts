import { once } from 'node:events';
import { chmodSync, rmSync } from 'node:fs';
import { createServer, connect as dial, type NetConnectOpts, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export type Place = { readonly port: number } | { readonly path: string };

/** What a link does to bytes, each way and all its connections together. */
export interface Weather {
  readonly bytesPerSecond?: number;
  readonly latencyMs?: number;
}

/** Pieces of other connections get their turn on a slow link. */
const PIECE_BYTES = 4 * 1024;

interface Pair {
  readonly near: Socket;
  readonly far: Socket | null;
  /** Swallows for good, also when the link is whole again: what became of both ends is for them to notice. */
  dead: boolean;
}

/**
 * A link between two programs that a test cuts: `cut` resets what there is and refuses what comes; `silence` accepts and
 * swallows everything and keeps the sockets, as a cable that was pulled does; `heal` lets new connections through.
 */
export class CutProxy {
  readonly #target: Place;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #freeAt = { there: 0, back: 0 };
  #state: 'whole' | 'cut' | 'silent' = 'whole';
  #weather: Weather = {};
  /** Connections that were accepted, and bytes that passed, each way. */
  readonly counts = { accepted: 0, there: 0, back: 0 };

  private constructor(target: Place) {
    this.#target = target;
    this.#server = createServer({ allowHalfOpen: true }, (near) => this.#accept(near));
  }

  /** On a port of the system's choice, or on a unix socket that everybody may use. */
  static async open(target: Place, at?: { readonly path: string }): Promise<CutProxy> {
    const proxy = new CutProxy(target);
    if (at) rmSync(at.path, { force: true });
    await new Promise<void>((done, fail) => {
      proxy.#server.once('error', fail);
      if (at) proxy.#server.listen(at.path, done);
      else proxy.#server.listen(0, '127.0.0.1', done);
    });
    if (at) chmodSync(at.path, 0o666);
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  cut(): void {
    this.#state = 'cut';
    this.#resetAll();
  }
  silence(): void {
    this.#state = 'silent';
    for (const pair of this.#pairs) pair.dead = true;
  }
  heal(): void {
    this.#state = 'whole';
  }
  /** From now on, for connections that are there too. */
  be(weather: Weather): void {
    this.#weather = weather;
  }

  async close(): Promise<void> {
    this.#state = 'cut';
    this.#resetAll();
    await new Promise<void>((done) => this.#server.close(() => done()));
  }

  #resetAll(): void {
    for (const { near, far } of this.#pairs) {
      reset(near);
      if (far) reset(far);
    }
    this.#pairs.clear();
  }

  #accept(near: Socket): void {
    near.on('error', () => undefined);
    if (this.#state === 'cut') {
      reset(near);
      return;
    }
    this.counts.accepted++;
    if (this.#state === 'silent') {
      const pair: Pair = { near, far: null, dead: true };
      this.#pairs.add(pair);
      near.resume().once('close', () => this.#pairs.delete(pair));
      return;
    }
    const far = dial({ ...this.#target, allowHalfOpen: true } as NetConnectOpts);
    const pair: Pair = { near, far, dead: false };
    this.#pairs.add(pair);
    far.on('error', () => this.#end(pair));
    near.once('close', () => this.#end(pair));
    far.once('close', () => this.#end(pair));
    void this.#carry(pair, near, far, 'there');
    void this.#carry(pair, far, near, 'back');
  }

  #end(pair: Pair): void {
    if (!this.#pairs.has(pair)) return;
    // A dead link does not tell one end what became of the other.
    if (pair.dead && !(pair.near.destroyed && pair.far?.destroyed)) return;
    this.#pairs.delete(pair);
    pair.near.destroy();
    pair.far?.destroy();
  }

  async #carry(pair: Pair, from: Socket, to: Socket, way: 'there' | 'back'): Promise<void> {
    try {
      for await (const chunk of from.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
          const piece = chunk.subarray(at, at + (this.#isSlow() ? PIECE_BYTES : chunk.length));
          await this.#wait(piece.length, way);
          if (!pair.dead && !to.destroyed) {
            this.counts[way] += piece.length;
            if (!to.write(piece)) await drained(to);
          }
          if (!this.#isSlow()) break;
        }
      }
      if (!pair.dead) to.end();
    } catch {
      this.#end(pair);
    }
  }

  #isSlow(): boolean {
    return this.#weather.bytesPerSecond !== undefined;
  }

  async #wait(bytes: number, way: 'there' | 'back'): Promise<void> {
    const { bytesPerSecond, latencyMs = 0 } = this.#weather;
    const now = performance.now();
    let ms = latencyMs;
    if (bytesPerSecond !== undefined) {
      this.#freeAt[way] = Math.max(now, this.#freeAt[way]) + (bytes / bytesPerSecond) * 1000;
      ms += this.#freeAt[way] - now;
    }
    if (ms > 1) await sleep(ms);
  }
}

/** A unix socket knows no reset: there it is closed. */
function reset(socket: Socket): void {
  if (socket.remoteFamily === undefined) socket.destroy();
  else socket.resetAndDestroy();
}

async function drained(socket: Socket): Promise<void> {
  const stop = new AbortController();
  const wait = (event: string) => once(socket, event, { signal: stop.signal }).catch(() => undefined);
  await Promise.race([wait('drain'), wait('close')]);
  stop.abort();
}
