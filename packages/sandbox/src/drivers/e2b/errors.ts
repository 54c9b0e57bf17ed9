import { HangarError } from '@hangar/contract';
import { z } from 'zod';

/** When the service does not say how long to wait. */
const RETRY_AFTER_MS = 10_000;
const LONGEST_MESSAGE = 300;
/** E2B tells a full account from too many calls, both 429, by words alone. */
const QUOTA = /maximum number of|quota|billing|out of credit|max instance length/i;
const PAGE = /<(!doctype|html|head|body)\b/i;

export interface About {
  /** Where the call went, for people. */
  readonly host: string;
  readonly signal: AbortSignal;
  /** The template, where one was asked for. */
  readonly template?: string;
  /** Never told, whoever says it. */
  readonly secret: string;
  /** Said by the host with its newest 429, in ms. */
  readonly retryAfterMs?: number | undefined;
}

/** Statuses are typed by the SDK for some errors only; the rest are told by the name of their class. */
const Shape = z.object({
  name: z.string().catch(''),
  message: z.string().catch(''),
  statusCode: z.number().optional().catch(undefined),
});

export const nameOf = (error: unknown): string => Shape.catch({ name: '', message: '' }).parse(error).name;
export const statusOf = (error: unknown): number | undefined => {
  const { name, statusCode } = Shape.catch({ name: '', message: '' }).parse(error);
  return statusCode ?? ({ AuthenticationError: 401, RateLimitError: 429, ServiceBusyError: 503 } as const)[name];
};
/** Of the control plane, where E2B's own 404 is proof; any other 404 is of something on the way. */
export const isNoSandbox = (error: unknown): boolean => nameOf(error) === 'SandboxNotFoundError';

/** What E2B or the way to it said, as the error of the table that says what to do. */
export function asHangarError(error: unknown, about: About): unknown {
  if (about.signal.aborted) return about.signal.reason;
  if (error instanceof HangarError) return error;
  const { host } = about;
  const status = statusOf(error);
  const text = messageOf(error).replaceAll(about.secret, '***');
  // Errors of the SDK may hold all that a command printed.
  const cause = new Error(`${nameOf(error)}: ${text}`);
  const failed = (code: ConstructorParameters<typeof HangarError>[0], message: string, wayOut?: string) =>
    new HangarError(code, { message, cause, ...(wayOut ? { wayOut } : {}) });

  if (PAGE.test(text) || error instanceof SyntaxError) {
    if (status === 429) return busy(about, cause);
    return failed(
      'driver_unavailable',
      `What answers at ${host} is a web page and not E2B.`,
      'Check the domain and the API address of the profile, and what stands between.',
    );
  }
  if (status !== undefined && [400, 402, 403, 429].includes(status) && QUOTA.test(text)) {
    return failed('driver_quota', `E2B gives this account no more: ${text}`);
  }
  if (status === 401 || status === 403) return failed('driver_auth_failed', `E2B at ${host} refused the key: ${text}`);
  if (status === 429) return busy(about, cause);
  if (status === 400) return failed('launch_failed', `E2B at ${host} refused: ${text}`);
  if (status === 404 && about.template !== undefined && /template/i.test(text)) {
    return failed(
      'image_not_found',
      `E2B has no template ${about.template} for this account.`,
      'Check the template of the profile, or --image: E2B takes the name or id of a template that was built there.',
    );
  }
  if (isNoSandbox(error)) return failed('sandbox_gone', 'E2B has no such sandbox any more.');
  const why = nameOf(error) === 'TimeoutError' ? 'no answer in time' : (transportWords(error) ?? text);
  return failed('driver_unavailable', `E2B at ${host}: ${why || 'an answer that is not understood'}`);
}

function busy({ host, retryAfterMs = RETRY_AFTER_MS }: About, cause: Error): HangarError {
  return new HangarError('driver_busy', {
    message: `E2B at ${host} asks to be called less often.`,
    wayOut: `Wait ${Math.ceil(retryAfterMs / 1000)} s and try again.`,
    details: { retryAfterMs },
    cause,
  });
}

/** Whether nothing can have happened: the call was refused in so many words, or never arrived. */
export const wasRefused = (error: unknown): boolean =>
  error instanceof HangarError &&
  ['driver_auth_failed', 'driver_quota', 'driver_busy', 'image_not_found', 'launch_failed'].includes(error.code);

const CODES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ENOTFOUND: 'the host name is unknown',
  EAI_AGAIN: 'the host name cannot be looked up now',
  EHOSTUNREACH: 'the host is out of reach',
  ENETUNREACH: 'the network is out of reach',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
  UND_ERR_HEADERS_TIMEOUT: 'no answer in time',
  UND_ERR_BODY_TIMEOUT: 'no answer in time',
};

function transportWords(error: unknown): string | null {
  for (let at = error; at instanceof Error; at = at.cause) {
    const code = 'code' in at ? String(at.code) : '';
    const words = CODES[code];
    if (words !== undefined) return words;
  }
  return null;
}

/** One line of bounded length: what a service says is never trusted to be short. */
export function messageOf(error: unknown): string {
  const { message } = Shape.catch({ name: '', message: String(error) }).parse(error);
  return message
    .replace(/[\u0000-\u001f\u007f]+/g, ' ')
    .trim()
    .slice(0, LONGEST_MESSAGE);
}
