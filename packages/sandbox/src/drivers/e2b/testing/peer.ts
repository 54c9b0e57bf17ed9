import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import type { Reach } from '../../../port/driver.ts';
import type { UnitSpec } from '../../../port/unit.ts';
import { NO_HOST_KEYS, nothingBrought } from '../../../testing/profile.ts';
import { createE2bDriver } from '../index.ts';
import { type E2bServer, startE2bServer } from './e2b-server.ts';

/** An E2B that tests run against, and a profile that reaches it. */
export interface E2bPeer extends AsyncDisposable {
  readonly reach: Reach;
  /** Of the fake alone. */
  readonly server: E2bServer | null;
  readonly instanceId: string;
  /** The same account through another profile, or as another Hangar. */
  reachAs(o?: { apiKey?: string | null; settings?: Record<string, unknown>; instanceId?: string }): Reach;
  /** What was logged as a warning. */
  readonly warnings: string[];
}

export async function fakePeer(o: Parameters<typeof startE2bServer>[0] = {}): Promise<E2bPeer> {
  const server = await startE2bServer(o);
  const { apiKey } = server.account;
  return peerOf(server, apiKey, { apiUrl: server.apiUrl, sandboxUrl: server.sandboxUrl });
}

/** The real one, with the key of the environment. */
export const realPeer = async (apiKey: string): Promise<E2bPeer> => peerOf(null, apiKey, {});

function peerOf(server: E2bServer | null, key: string, settings: Record<string, unknown>): E2bPeer {
  const own = `test-${randomBytes(6).toString('hex')}`;
  const warnings: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => warnings.push(line) });
  const reachAs: E2bPeer['reachAs'] = (o = {}) =>
    createE2bDriver({ brought: nothingBrought(o.instanceId ?? own), log }).forProfile({
      ...{ name: 'e2b', limits: {}, settings: { ...settings, ...o.settings } },
      secret: async (name) => (name === 'apiKey' ? (o.apiKey === undefined ? key : o.apiKey) : null),
      hostKeys: NO_HOST_KEYS,
    });
  const reach = reachAs();
  return {
    ...{ reach, server, instanceId: own, reachAs, warnings },
    async [Symbol.asyncDispose]() {
      await reach.units.sweep(async () => false, { signal: AbortSignal.timeout(60_000) }).catch(() => undefined);
      await server?.[Symbol.asyncDispose]();
    },
  };
}

export const holdSpec = (id: string, o: Partial<UnitSpec> = {}): UnitSpec => ({
  key: { id, attempt: 1 },
  program: { kind: 'hold' },
  image: null,
  resources: {},
  deadlineSeconds: 300,
  ...o,
});
