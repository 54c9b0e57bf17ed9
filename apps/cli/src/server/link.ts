import type { Agent } from 'node:http';

/** How a server is reached. */
export interface Link {
  /** Address without a slash at the end. */
  readonly server: string;
  /** The proxy the environment puts before it, with an agent that goes through it; null for none. */
  way(): Promise<Way | null>;
}

export interface Way {
  readonly proxy: URL;
  readonly agent: Agent;
}

/** What speaks of proxies is loaded where the environment does. */
export function openLink(server: string, env: Readonly<Record<string, string | undefined>>): Link {
  const isSet = Object.keys(env).some((name) => /^(https?|all)_proxy$/i.test(name) && env[name]);
  let way: Promise<Way | null> | undefined;
  return {
    server,
    way: async () => {
      if (isSet) way ??= throughProxy(server, env);
      return way ?? null;
    },
  };
}

async function throughProxy(server: string, env: Readonly<Record<string, string | undefined>>): Promise<Way | null> {
  const { proxyFor } = await import('@hangar/contract/proxy');
  const proxy = proxyFor(server, env);
  if (proxy === null) return null;
  const { openProxyAgent } = await import('@hangar/worker/proxy-agent');
  return { proxy, agent: await openProxyAgent(proxy, server.startsWith('https:'), { keepAlive: true }) };
}
