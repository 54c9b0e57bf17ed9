import http from 'node:http';
import https from 'node:https';
import { HangarError, proxyFor } from '@hangar/contract';
import type { Proof } from './credentials.ts';

const KEEP_ALIVE_MS = 30_000;

/** For what a connection is: calls one after the other, or one WebSocket. */
export type Way = 'calls' | 'sockets';

export interface WayOptions {
  readonly ca?: string | undefined;
  readonly insecure: boolean;
  readonly serverName?: string;
  /** Of the kubeconfig; else env says whether a proxy stands before the server. */
  readonly proxyUrl?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** The connections to one API server: with its authority, the certificate of a proof, and through a proxy where one stands before it. */
export function createAgents(base: URL, options: WayOptions) {
  const secure = base.protocol === 'https:';
  let known: { of: string; agents: Readonly<Record<Way, Promise<http.Agent>>> } | null = null;

  async function open(settings: https.AgentOptions, way: Way): Promise<http.Agent> {
    const proxy = options.proxyUrl ? namedProxy(options.proxyUrl) : proxyFor(base, options.env ?? {});
    if (proxy === null) return secure ? new https.Agent(settings) : new http.Agent(settings);
    const { openProxyAgent, openTunnelAgent } = await import('@hangar/worker/proxy-agent');
    return way === 'sockets' && !secure ? openTunnelAgent(proxy, settings) : openProxyAgent(proxy, secure, settings);
  }

  /** Ends those that wait for a call. */
  function close(): void {
    for (const agent of Object.values(known?.agents ?? {})) agent.then((one) => one.destroy()).catch(() => undefined);
    known = null;
  }

  return {
    /** Client certificates belong to the connection: another one needs another agent. */
    of(proof: Proof, way: Way): Promise<http.Agent> {
      const of = proof.cert ?? '';
      if (known?.of === of) return known.agents[way];
      close();
      const settings = {
        ...(options.ca === undefined ? {} : { ca: options.ca }),
        ...(proof.cert === undefined ? {} : { cert: proof.cert, key: proof.key }),
        ...(options.serverName === undefined ? {} : { servername: options.serverName }),
        rejectUnauthorized: !options.insecure,
      };
      const agents = {
        calls: open({ ...settings, keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS }, 'calls'),
        // Each has a connection of its own: one that was kept may be closed by now.
        sockets: open({ ...settings, keepAlive: false }, 'sockets'),
      };
      known = { of, agents };
      for (const agent of Object.values(agents)) agent.catch(close);
      return agents[way];
    },
    close,
  };
}

/** The proxy-url of a kubeconfig. @throws HangarError proxy_invalid */
function namedProxy(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url && /^https?:$/.test(url.protocol)) return url;
  throw new HangarError('proxy_invalid', {
    message: 'The proxy-url of the kubeconfig is no address of an HTTP proxy.',
    wayOut: 'Set it to http://HOST:PORT or https://HOST:PORT.',
  });
}
