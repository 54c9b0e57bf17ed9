import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import type { Daytona, Sandbox } from '@daytona/sdk';
import { type DaytonaSettings, HangarError } from '@hangar/contract';
import type { ProfileOf } from '../../port/driver.ts';
import type { CallOptions } from '../../port/unit.ts';
import { asHangarError } from './errors.ts';

export type LoadSdk = () => Promise<Pick<typeof import('@daytona/sdk'), 'Daytona'>>;

/** Longest wait for one answer of the API. */
const REQUEST_MS = 60_000;
/** Profiles whose key was changed leave a client behind. */
const MOST_CLIENTS = 64;

/** 101 MB and half a second: only when a profile is used. */
export const loadSdk: LoadSdk = () => import('@daytona/sdk');

/** Whether the package is there, without loading it. */
export function hasSdk(): boolean {
  try {
    createRequire(import.meta.url).resolve('@daytona/sdk');
    return true;
  } catch {
    return false;
  }
}

/** The SDK with the key of one profile, and what an error of it means. */
export interface Client {
  readonly sdk: Daytona;
  readonly host: string;
  readonly key: string;
  /**
   * One call of the SDK, which takes no signal: what it does goes on behind a wait that was given up, until the client's own deadline.
   * @throws HangarError classified; the reason of the signal as it is
   */
  ask<T>(o: Ask, call: () => Promise<T>): Promise<T>;
}

export interface Ask extends CallOptions {
  readonly doing: string;
  readonly image?: string | null;
  readonly deadlineMs?: number;
}

export interface Clients extends AsyncDisposable {
  /** @throws HangarError driver_auth_failed without a key, driver_unavailable without the package */
  of(profile: ProfileOf, settings: DaytonaSettings): Promise<Client>;
}

export function createClients(load: LoadSdk): Clients {
  const open = new Map<string, Client>();
  let module: ReturnType<LoadSdk> | null = null;

  async function sdkModule(): ReturnType<LoadSdk> {
    module ??= load();
    return module.catch((error: unknown) => {
      module = null;
      throw new HangarError('driver_unavailable', {
        message: 'The package @daytona/sdk, which the daytona driver uses, is not installed here.',
        wayOut: 'Install it where Hangar is: npm install @daytona/sdk@0.216.0',
        cause: error,
      });
    });
  }

  return {
    async of(profile, settings) {
      const key = await profile.secret('apiKey');
      if (key === null || key === '') {
        throw new HangarError('driver_auth_failed', {
          message: `The profile ${profile.name} has no API key.`,
          wayOut: `Make one at Daytona and give it to the profile: hangar profiles update ${profile.name}`,
        });
      }
      const id = createHash('sha256')
        .update(JSON.stringify([settings.apiUrl, settings.target ?? null, key]))
        .digest('hex');
      const known = open.get(id);
      if (known) return known;
      const { Daytona } = await sdkModule();
      const made = createClient(Daytona, settings, key);
      const oldest = open.size >= MOST_CLIENTS ? open.entries().next().value : undefined;
      if (oldest) {
        open.delete(oldest[0]);
        await oldest[1].sdk[Symbol.asyncDispose]();
      }
      open.set(id, made);
      return made;
    },

    async [Symbol.asyncDispose]() {
      const all = [...open.values()];
      open.clear();
      await Promise.all(all.map(({ sdk }) => sdk[Symbol.asyncDispose]()));
    },
  };
}

function createClient(Sdk: typeof Daytona, settings: DaytonaSettings, key: string): Client {
  const sdk = new Sdk({
    apiKey: key,
    apiUrl: settings.apiUrl.replace(/\/$/, ''),
    ...(settings.target === undefined ? {} : { target: settings.target }),
    // Else it opens a connection for events by itself, and keeps it.
    useDeprecatedPolling: true,
    requestTimeoutMs: REQUEST_MS,
  });
  // Without a target it takes one of the environment of this process, which no profile names.
  if (settings.target === undefined) Object.assign(sdk, { target: undefined });
  const { host } = new URL(settings.apiUrl);
  return {
    ...{ sdk, host, key },
    async ask({ signal, doing, image, deadlineMs = REQUEST_MS + 5_000 }, call) {
      signal.throwIfAborted();
      try {
        return await within(call(), signal, deadlineMs);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        throw asHangarError(error, { host, doing, image, key });
      }
    },
  };
}

/** Waits no longer than that. What comes later of it is nobody's. */
export function within<T>(promise: Promise<T>, signal: AbortSignal | null, ms: number): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => late(new HangarError('driver_unavailable', LATE)), ms);
    const late = (reason: unknown) => {
      done();
      reject(reason);
    };
    const aborted = () => late(signal?.reason);
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', aborted);
    };
    signal?.addEventListener('abort', aborted, { once: true });
    promise.then(
      (value) => {
        done();
        resolve(value);
      },
      (error: unknown) => late(error),
    );
  });
}
const LATE = { message: 'Daytona did not answer in time.' };

/** A sandbox as the API tells of it. @throws HangarError driver_unavailable for what is none */
export function checkedSandbox(sandbox: Sandbox, { host }: Client): Sandbox {
  if (typeof sandbox.id === 'string' && sandbox.id !== '' && typeof sandbox.labels === 'object') return sandbox;
  throw new HangarError('driver_unavailable', {
    message: `What answers at ${host} does not speak the protocol of Daytona.`,
    wayOut: 'Check the address of the API in the profile.',
  });
}
