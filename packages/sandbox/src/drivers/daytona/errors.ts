import { type ErrorCode, HangarError } from '@hangar/contract';
import { z } from 'zod';

/** What was being done, for the words of an error. */
export interface About {
  /** Of the API or of a sandbox, for people. */
  readonly host: string;
  /** "make a sandbox" */
  readonly doing: string;
  /** Image or snapshot, where one was named. */
  readonly image?: string | null | undefined;
  /** Never comes out in a message. */
  readonly key: string;
}

const LONGEST_TEXT = 300;
const LONGEST_PAUSE_MS = 3_600_000;

const Thrown = z.object({
  name: z.string().catch(''),
  message: z.string().catch(''),
  statusCode: z.number().int().optional().catch(undefined),
  code: z.string().optional().catch(undefined),
  headers: z.record(z.string(), z.unknown()).optional().catch(undefined),
});

const QUOTA =
  /\b(limit|quota)\b.*\b(exceeded|reached)\b|exceeds? (the )?(maximum allowed|limit|quota)|(depleted|insufficient) (credits?|balance|funds)|organization is suspended/i;
const NO_IMAGE =
  /(snapshot|image|manifest|repository).*(not found|does not exist|unknown|denied|no such)|(not found|no such|pull).*(snapshot|image|manifest)/i;

/** What the SDK threw, as far as it can be trusted. Handshakes of WebSockets say their status in the text only. */
export function reading(error: unknown): { status: number | null; code: string; text: string; headers: object } {
  const read = Thrown.safeParse(
    typeof error === 'object' && error !== null
      ? {
          name: Reflect.get(error, 'name'),
          message: Reflect.get(error, 'message'),
          statusCode: Reflect.get(error, 'statusCode'),
          code: Reflect.get(error, 'code'),
          headers: ownHeaders(Reflect.get(error, 'headers')),
        }
      : { message: String(error) },
  );
  const { message, statusCode, code, headers } = read.success ? read.data : { ...NOTHING };
  const handshake = /Unexpected server response: (\d{3})/.exec(message)?.[1];
  return {
    status: statusCode ?? (handshake === undefined ? null : Number(handshake)),
    code: code ?? '',
    text: message,
    headers: headers ?? {},
  };
}

const NOTHING = { message: '', statusCode: undefined, code: undefined, headers: undefined };

const ownHeaders = (headers: unknown): unknown =>
  typeof headers === 'object' && headers !== null ? { ...headers } : {};

export const isStatus = (error: unknown, ...statuses: number[]): boolean => {
  const cause = error instanceof HangarError ? error.cause : error;
  const { status } = reading(cause);
  return status !== null && statuses.includes(status);
};

/**
 * Whether Daytona itself says that there is none. A 404 of what stands before it, or is there in its place, proves nothing: it does not
 * come in JSON.
 */
export const isMissing = (error: unknown): boolean => {
  const { status, headers } = reading(error instanceof HangarError ? error.cause : error);
  return status === 404 && /json/i.test(String(Reflect.get(headers, 'content-type')));
};

/** An error of the SDK as the one of the table that says what to do. Quotas and images are told apart by text only. */
export function asHangarError(error: unknown, about: About): HangarError {
  if (error instanceof HangarError) return error;
  const { status, text: raw, headers } = reading(error);
  const text = told(raw, about.key);
  const as = (code: ErrorCode, message: string, more: { wayOut?: string; details?: Record<string, unknown> } = {}) =>
    new HangarError(code, { message, cause: error, ...more });
  const failed = `Daytona at ${about.host} could not ${about.doing}`;

  if (/^\s*<(!doctype|html|head|body)\b/i.test(raw)) {
    return as('driver_unavailable', `${failed}: a web page came back (status ${status}), no answer of the API.`, {
      wayOut: 'Check the address of the API in the profile, and what stands between this server and it.',
    });
  }
  if (status === 429) {
    const retryAfterMs = pauseOf(headers);
    return as('driver_busy', `${failed}: it asks to be called less often.`, {
      details: retryAfterMs === null ? {} : { retryAfterMs },
    });
  }
  // Before the quota of the account: its text may name one, too.
  if (/no space left on device|disk quota exceeded/i.test(raw)) {
    return as('disk_full', `${failed}: its disk is full.`, { wayOut: 'Remove files in the sandbox.' });
  }
  const refused = status !== null && status >= 400 && status < 500;
  if (refused && (status === 402 || QUOTA.test(raw))) return as('driver_quota', `${failed}: ${text}`);
  if (status === 401 || (status === 403 && !/FILE_ACCESS_DENIED|permission denied/i.test(raw))) {
    return as('driver_auth_failed', `${failed}: the key is not accepted or lacks a right (${status}).`);
  }
  if (refused && about.image && (status === 404 || NO_IMAGE.test(raw))) {
    return as('image_not_found', `${failed}: ${about.image} was not found. ${text}`);
  }
  if (status === 409) return as('driver_busy', `${failed}: ${text}`);
  if (refused && status !== 408) return as('launch_failed', `${failed}: ${text}`);
  if (status !== null) return as('driver_unavailable', `${failed}: it answered ${status}. ${text}`);
  if (/^Daytona/.test(nameOf(error))) return as('driver_unavailable', `${failed}: ${text}`);
  // The SDK stumbles over what is no answer of Daytona.
  return as('driver_unavailable', `${failed}: what answers there does not speak its protocol. ${text}`);
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : '');

/** A text of the other side, fit to be shown: one line, short, without the key. */
export function told(text: string, key: string): string {
  const shown = key === '' ? text : text.replaceAll(key, '***');
  const line = shown.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
  return line.length > LONGEST_TEXT ? `${line.slice(0, LONGEST_TEXT)}…` : line;
}

/** Daytona names the header after the limit that was hit ("Retry-After-sandbox-create"); the longest counts. */
function pauseOf(headers: object): number | null {
  const pauses = Object.entries(headers)
    .filter(([name]) => /^retry-after(-|$)/i.test(name))
    .map(([, value]) => {
      const seconds = Number(value);
      return Number.isFinite(seconds) ? seconds * 1000 : Date.parse(String(value)) - Date.now();
    })
    .filter((ms) => Number.isFinite(ms) && ms >= 0);
  return pauses.length === 0 ? null : Math.min(Math.max(...pauses), LONGEST_PAUSE_MS);
}
