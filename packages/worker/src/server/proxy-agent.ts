import type { Agent, AgentOptions, ClientRequest, ClientRequestArgs, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { HangarError } from '@hangar/contract/errors';

/** A proxy that is there opens a tunnel in a moment, or says why not. */
const TUNNEL_MS = 20_000;

/**
 * An agent for node:https (`secure`) or node:http that reaches every server through `proxy` (see `proxyFor`): by CONNECT, so that the
 * proxy sees no more than host and port, or with the full address in the request where there is no TLS. Modules are loaded
 * here, on demand: few need a proxy, and TLS is most of what there is to load. While a tunnel is made a request has no socket, and Node
 * tells its caller of an abort only when it gets one: who must not wait for that races the signal itself.
 */
export async function openProxyAgent(proxy: URL, secure: boolean, options: AgentOptions = {}): Promise<Agent> {
  return secure ? tunnelAgent(proxy, options) : forwardAgent(proxy, options);
}

/**
 * An agent for node:http that opens a tunnel (CONNECT) through `proxy` also without TLS: for connections that stop being HTTP, which a
 * proxy would not pass on.
 */
export async function openTunnelAgent(proxy: URL, options: AgentOptions = {}): Promise<Agent> {
  const { Agent: PlainAgent, request } = await import('node:http');
  const ask = proxy.protocol === 'https:' ? (await import('node:https')).request : request;
  class PlainTunnelAgent extends PlainAgent {
    override createConnection(
      target: ClientRequestArgs,
      callback: (error: Error | null, stream?: Duplex) => void,
    ): undefined {
      openTunnel(ask, proxy, target).then(
        (socket) => callback(null, socket),
        (error: Error) => callback(error),
      );
      return undefined;
    }
  }
  return new PlainTunnelAgent(options);
}

async function tunnelAgent(proxy: URL, options: AgentOptions): Promise<Agent> {
  const [{ Agent: SecureAgent, request: requestSecurely }, { request }] = await Promise.all([
    import('node:https'),
    import('node:http'),
  ]);
  const ask = proxy.protocol === 'https:' ? requestSecurely : request;

  class TunnelAgent extends SecureAgent {
    override createConnection(
      target: ClientRequestArgs,
      callback: (error: Error | null, stream?: Duplex) => void,
    ): undefined {
      openTunnel(ask, proxy, target).then(
        (socket) => {
          const wrapped: ClientRequestArgs & { socket: Duplex } = { ...target, socket };
          let stream: ReturnType<Agent['createConnection']>;
          try {
            stream = super.createConnection(wrapped, () => undefined);
          } catch (error) {
            // A certificate or a key that is none, as while they are being renewed.
            socket.destroy();
            return callback(error as Error);
          }
          if (stream) callback(null, stream);
        },
        (error: Error) => callback(error),
      );
      return undefined;
    }
  }
  return new TunnelAgent(options);
}

function openTunnel(
  ask: (options: ClientRequestArgs) => ClientRequest,
  proxy: URL,
  { host, port }: ClientRequestArgs,
): Promise<Duplex> {
  const target = `${host?.includes(':') ? `[${host}]` : host}:${port}`;
  return new Promise((resolve, reject) => {
    const asked = ask({
      ...placeOf(proxy),
      method: 'CONNECT',
      path: target,
      headers: { host: target, ...signIn(proxy) },
      agent: false,
      signal: AbortSignal.timeout(TUNNEL_MS),
    });
    asked.on('error', (cause) => reject(refused(proxy, `does not answer: ${cause.message}`, { cause })));
    asked.on('connect', (answer: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (answer.statusCode === 200) {
        if (head.length > 0) socket.unshift(head);
        resolve(socket);
        return;
      }
      socket.destroy();
      const { statusCode: status = 0, statusMessage = '' } = answer;
      reject(refused(proxy, `answered ${status} ${statusMessage}`.trimEnd(), { status }));
    });
    asked.end();
  });
}

async function forwardAgent(proxy: URL, options: AgentOptions): Promise<Agent> {
  const { Agent: PlainAgent } = await import('node:http');
  const tls = proxy.protocol === 'https:' ? await import('node:tls') : null;
  const { connect, isIP } = await import('node:net');
  const { hostname: host, port } = placeOf(proxy);
  // Called by each request before its head is written; in no type of Node's, though agents of others have lived on it for ten years.
  const addRequest: (sent: ClientRequest, target: object) => void = Reflect.get(PlainAgent.prototype, 'addRequest');

  class ForwardAgent extends PlainAgent {
    addRequest(sent: ClientRequest, target: object): void {
      sent.path = `http://${sent.getHeader('host')}${sent.path}`;
      for (const [name, value] of Object.entries(signIn(proxy))) sent.setHeader(name, value);
      addRequest.call(this, sent, target);
    }
    override createConnection(): Duplex {
      return tls ? tls.connect({ host, port, ...(isIP(host) ? {} : { servername: host }) }) : connect({ host, port });
    }
  }
  // Proxies close a connection without a word that the server behind them would keep, and the next request fails on it.
  return new ForwardAgent({ ...options, keepAlive: false });
}

function placeOf(proxy: URL): { readonly hostname: string; readonly port: number } {
  return {
    hostname: proxy.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(proxy.port || (proxy.protocol === 'https:' ? 443 : 80)),
  };
}

function signIn({ username, password }: URL): Record<string, string> {
  if (username === '') return {};
  const given = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(given).toString('base64')}` };
}

const refused = (proxy: URL, what: string, { cause, status }: { cause?: Error; status?: number }) =>
  new HangarError('proxy_refused', {
    message: `The proxy at ${proxy.host} ${what}.`,
    ...(status === undefined ? {} : { details: { status } }),
    ...(cause === undefined ? {} : { cause }),
  });
