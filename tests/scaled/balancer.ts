import { createServer, connect as dial, type Server, type Socket } from 'node:net';

const CHECK_MS = 200;

/**
 * Spreads connections over servers in turn, as a service of a cluster does: it looks at `/readyz` all the time, sends nothing new to a
 * server that says no, and what is there it leaves alone. Without checks it knows only who refuses a connection, and goes on to the next.
 */
export class Balancer {
  readonly #server: Server;
  readonly #ports: readonly number[];
  readonly #ready = new Map<number, boolean>();
  readonly #sockets = new Set<Socket>();
  readonly #timer: NodeJS.Timeout | null;
  #turn = 0;
  /** Connections by server. */
  readonly counts = new Map<number, number>();

  private constructor(ports: readonly number[], o: { checks: boolean }) {
    this.#ports = ports;
    this.#server = createServer({ allowHalfOpen: true }, (near) => this.#accept(near));
    this.#timer = o.checks ? setInterval(() => void this.#look(), CHECK_MS) : null;
  }

  static async open(ports: readonly number[], o: { checks: boolean; port?: number }): Promise<Balancer> {
    const balancer = new Balancer(ports, o);
    await new Promise<void>((done, fail) => {
      balancer.#server.once('error', fail).listen(o.port ?? 0, '127.0.0.1', done);
    });
    return balancer;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async close(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((done) => this.#server.close(() => done()));
  }

  async #look(): Promise<void> {
    for (const port of this.#ports) {
      const ready = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(2_000) }).then(
        (answer) => answer.ok,
        () => false,
      );
      this.#ready.set(port, ready);
    }
  }

  #accept(near: Socket): void {
    near.on('error', () => undefined);
    this.#sockets.add(near);
    near.once('close', () => this.#sockets.delete(near));
    const first = this.#turn++;
    const inTurn = this.#ports.map((_, index) => this.#ports[(first + index) % this.#ports.length] ?? 0);
    const able = inTurn.filter((port) => this.#ready.get(port) !== false);
    this.#reach(near, able.length > 0 ? able : inTurn);
  }

  #reach(near: Socket, [port, ...others]: readonly number[]): void {
    if (port === undefined) {
      near.resetAndDestroy();
      return;
    }
    const far = dial({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const refused = () => this.#reach(near, others);
    far.once('error', refused);
    far.once('connect', () => {
      far.off('error', refused).on('error', () => undefined);
      this.#sockets.add(far);
      this.counts.set(port, (this.counts.get(port) ?? 0) + 1);
      near.pipe(far).pipe(near);
      near.once('close', () => far.destroy());
      far.once('close', () => {
        this.#sockets.delete(far);
        // How a server that was killed looks from outside.
        near.destroy();
      });
    });
  }
}
