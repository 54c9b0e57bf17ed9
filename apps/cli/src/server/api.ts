import { HangarError } from '@hangar/contract/errors';
import type { WebSocket } from 'ws';
import { aboutJob } from '../jobs/job-words.ts';
import { DEFAULT_SERVER, type Settings, serverUrl, whyNoToken } from '../settings.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { type Client, createClient } from './client.ts';
import { type Answer, type Call, errorOf, send } from './http.ts';
import { openLink } from './link.ts';
import { openSignIns, type SignIns, type Tokens } from './sign-ins.ts';

/** A server, with the identity this command line has there. */
export interface Api {
  /** Address without a slash at the end. */
  readonly server: string;
  /** The operations of the contract. */
  readonly client: Client;
  /** A raw route under /api: answers a 2xx, throws HangarError for anything else. */
  request(path: string, call?: Call): Promise<Answer>;
  /** A raw route under /api as a WebSocket, which is open and has brought nothing yet. Throws as `request` does. */
  webSocket(path: string, protocol: string, signal: AbortSignal): Promise<WebSocket>;
  /** How the calls identify themselves: HANGAR_TOKEN, a sign-in, or not at all. */
  readonly identity: 'environment' | 'sign-in' | 'none';
  readonly signIns: SignIns;
}

export interface Connection {
  readonly settings: Settings;
  readonly terminal: Pick<Terminal, 'warn'>;
  readonly signal: AbortSignal;
  /** The value of --server. */
  readonly server: string | undefined;
  /** Uses these tokens instead of what is stored: a sign-in that is being checked. */
  readonly tokens?: Tokens;
}

/** Which server a call means: --server, HANGAR_SERVER, the last sign-in, this machine. */
export async function chooseServer({ settings, server, signal }: Omit<Connection, 'terminal'>): Promise<string> {
  const named = server ?? settings.serverFromEnv;
  if (named !== undefined) return serverUrl(named);
  return (await openSignIns(settings, signal).defaultServer()) ?? DEFAULT_SERVER;
}

export async function connect(connection: Connection): Promise<Api> {
  const { settings, signal } = connection;
  const signIns = openSignIns(settings, signal);
  const server = await chooseServer(connection);
  const link = openLink(server, settings.env);
  const fromEnv = connection.tokens === undefined ? settings.tokenFromEnv : undefined;
  const wrong = fromEnv === undefined ? null : whyNoToken(fromEnv);
  if (wrong !== null)
    throw new HangarError('config_invalid', {
      message: `HANGAR_TOKEN ${wrong}.`,
      wayOut: 'Set it to one API key, as in: export HANGAR_TOKEN="$(cat key.txt)", or unset it.',
    });
  let tokens: Tokens | null =
    connection.tokens ??
    (fromEnv === undefined ? await signIns.tokens(server) : { kind: 'apiKey', accessToken: fromEnv });
  const identity = tokens === null ? 'none' : fromEnv === undefined ? 'sign-in' : 'environment';

  /** With the tokens there are, and with fresh ones where these are not taken any more. */
  const authorized = async <T extends Answer | WebSocket>(
    attempt: (headers: Readonly<Record<string, string>>) => Promise<T>,
  ): Promise<T> => {
    const identified = () => attempt(tokens === null ? {} : { authorization: `Bearer ${tokens.accessToken}` });
    if (tokens !== null && isStale(tokens)) tokens = await refresh(tokens);
    const response = await identified();
    if (!('status' in response) || response.status !== 401 || tokens?.refreshToken === undefined) return response;
    response.discard();
    tokens = await refresh(tokens);
    return identified();
  };

  /** Only one of several command lines rotates; the others find its tokens in the store. */
  const refresh = (used: Tokens): Promise<Tokens> =>
    signIns.alone(async () => {
      const stored = await signIns.tokens(server);
      if (stored !== null && stored.accessToken !== used.accessToken && !isStale(stored)) return stored;
      const { oauthForm, readTokenAnswer } = await import('./oauth.ts');
      const refreshToken = (stored ?? used).refreshToken;
      if (refreshToken === undefined) throw new HangarError('token_expired');
      const response = await send(
        link,
        '/api/auth/token',
        { method: 'POST', body: () => oauthForm({ grant_type: 'refresh_token', refresh_token: refreshToken }) },
        signal,
      );
      if (response.status >= 500 || response.status === 429) throw await errorOf(link, response);
      const result = await readTokenAnswer(response);
      if (result === null || !result.ok)
        throw new HangarError('token_expired', {
          message: `The sign-in to ${server} has expired or was revoked.`,
          wayOut: `Run: hangar cloud login --server ${server}`,
        });
      await signIns.renew(server, result.tokens);
      return result.tokens;
    });

  const request = async (path: string, call: Call = {}): Promise<Answer> => {
    const response = await authorized((headers) =>
      send(link, `/api${path}`, { ...call, headers: { ...call.headers, ...headers } }, signal),
    );
    if (response.ok) return response;
    throw await refusalOf(path, response);
  };

  const webSocket: Api['webSocket'] = async (path, protocol, over) => {
    const { openWebSocket } = await import('./web-socket.ts');
    const response = await authorized((headers) =>
      openWebSocket(link, `/api${path}`, { headers, protocol, signal: over }),
    );
    if ('status' in response) throw await refusalOf(path, response);
    return response;
  };

  const refusalOf = async (path: string, response: Answer): Promise<unknown> => {
    const error = await errorOf(link, response);
    if (error.code === 'not_signed_in' && tokens === null)
      return new HangarError('not_signed_in', {
        message: `You are not signed in to ${server}.`,
        wayOut: `Run: hangar cloud login${connection.server === undefined ? '' : ` --server ${server}`}`,
      });
    if (error.kind === 'unauthenticated' && identity === 'environment')
      return new HangarError(error.code, {
        message: `${server} does not accept the token in HANGAR_TOKEN.`,
        wayOut: 'Set HANGAR_TOKEN to a valid API key, or unset it and run: hangar cloud login',
      });
    // The way out of an error about a job names that job.
    const id = /^\/jobs\/(j_[0-9a-z]+)/.exec(path)?.[1];
    return id === undefined ? error : aboutJob(error, id);
  };

  return { server, client: createClient(request), request, webSocket, identity, signIns };
}

const isStale = (tokens: Tokens): boolean =>
  tokens.refreshToken !== undefined &&
  tokens.expiresAt !== undefined &&
  Date.parse(tokens.expiresAt) - Date.now() < 30_000;
