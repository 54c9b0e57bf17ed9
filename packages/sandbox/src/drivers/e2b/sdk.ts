import { subscribe } from 'node:diagnostics_channel';
import { createRequire } from 'node:module';
import { type E2bSettings, HangarError, proxyFor } from '@hangar/contract';
import type { E2B } from 'e2b';
import { type About, asHangarError } from './errors.ts';

/** No call waits longer for its answer. A stream of output or of a file has no end of its own. */
export const CALL_MS = 30_000;
/** What a host said about waiting is of this call if it is not older. */
const HINT_AGE_MS = 5_000;
const MOST_HOSTS = 100;

/** The account of one profile. */
export interface E2bClient {
  readonly Sandbox: E2B['Sandbox'];
  /** Where the API is, for people. */
  readonly host: string;
  /** Calls with a deadline, and what is thrown is an error of the table. */
  call<T>(
    o: { signal: AbortSignal; template?: string },
    work: (opts: { signal: AbortSignal; requestTimeoutMs: number }) => Promise<T>,
  ): Promise<T>;
  about(o: { signal: AbortSignal; template?: string }): About;
}

/** @throws HangarError driver_unavailable when the package is not installed */
export async function loadSdk(): Promise<{ E2B: typeof E2B }> {
  try {
    const sdk = await import('e2b');
    hearWaits();
    return sdk;
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND';
    throw new HangarError('driver_unavailable', {
      message: missing
        ? 'The package e2b is not installed where the server runs.'
        : 'The package e2b cannot be loaded.',
      wayOut: 'Install it there: npm install e2b@2.51.0. Then start the server again.',
      cause: error,
    });
  }
}

export function sdkVersion(): string {
  const found: { version?: unknown } = createRequire(import.meta.url)('e2b/package.json');
  return String(found.version);
}

/** @throws HangarError driver_auth_failed without a key, driver_unavailable */
export async function openClient(o: {
  settings: E2bSettings;
  apiKey: string | null;
  env: Readonly<Record<string, string | undefined>>;
}): Promise<E2bClient> {
  const { settings, apiKey } = o;
  if (!apiKey) {
    throw new HangarError('driver_auth_failed', {
      message: 'The profile has no key of E2B.',
      wayOut: 'Make one at https://e2b.dev/dashboard?tab=keys and set it as apiKey of the profile.',
    });
  }
  const { E2B } = await loadSdk();
  const apiUrl = settings.apiUrl ?? `https://api.${settings.domain}`;
  const proxy = proxyFor(apiUrl, o.env);
  // What is not given here the SDK takes from E2B_… of the environment: a key must never go where a profile does not say.
  const { Sandbox } = new E2B({
    ...{ apiKey, domain: settings.domain, apiUrl, debug: false, retries: 0, requestTimeoutMs: CALL_MS },
    ...(settings.sandboxUrl ? { sandboxUrl: settings.sandboxUrl } : {}),
    ...(proxy ? { proxy: proxy.href } : {}),
  });
  const { host, origin } = new URL(apiUrl);
  const about = (to: { signal: AbortSignal; template?: string }): About => ({
    ...{ host, signal: to.signal, secret: apiKey, retryAfterMs: waitOf(origin) },
    ...(to.template === undefined ? {} : { template: to.template }),
  });
  return {
    ...{ Sandbox, host, about },
    async call(to, work) {
      to.signal.throwIfAborted();
      try {
        return await work({ signal: to.signal, requestTimeoutMs: CALL_MS });
      } catch (error) {
        throw asHangarError(error, about(to));
      }
    },
  };
}

/** The SDK says that it was refused with 429, but not for how long: that is heard where its HTTP library tells what it sees. */
const waits = new Map<string, { ms: number; at: number }>();
let hears = false;

function hearWaits(): void {
  if (hears) return;
  hears = true;
  subscribe('undici:request:headers', (message) => {
    const { request, response } = message as {
      request?: { origin?: unknown };
      response?: { statusCode?: number; headers?: readonly (Buffer | string)[] };
    };
    if (response?.statusCode !== 429) return;
    const words = (response.headers ?? []).map(String);
    const at = words.findIndex((word, index) => index % 2 === 0 && word.toLowerCase() === 'retry-after');
    const ms = parseWait(at < 0 ? undefined : words[at + 1]);
    const origin = String(request?.origin);
    waits.delete(origin);
    if (ms !== null) waits.set(origin, { ms, at: performance.now() });
    const oldest = waits.keys().next().value;
    if (waits.size > MOST_HOSTS && oldest !== undefined) waits.delete(oldest);
  });
}

/** Seconds, or a date. */
function parseWait(value: string | undefined): number | null {
  if (value === undefined) return null;
  const ms = /^\d{1,6}$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) && ms >= 0 ? Math.min(ms, 3_600_000) : null;
}

function waitOf(origin: string): number | undefined {
  const said = waits.get(origin);
  return said && performance.now() - said.at < HINT_AGE_MS ? said.ms : undefined;
}
