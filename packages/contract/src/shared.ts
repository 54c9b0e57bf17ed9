import { oc } from '@orpc/contract';
import { z } from 'zod';

/** How a caller is identified: a browser session, the token of a device, an API key, the token of a worker. */
export type IdentityKind = 'session' | 'token' | 'apiKey' | 'worker';

/** What is decided for every operation. Read by the server's one check, OpenAPI, the retries of clients and "as command". */
export interface OperationMeta {
  /** Who may call it; `public`: nobody need be signed in. */
  readonly identities: readonly IdentityKind[] | 'public';
  /** `only`: refused to others. `wider`: admins reach with it what is everybody's, others what is theirs. */
  readonly admin: 'only' | 'wider' | false;
  readonly readOnly: boolean;
  /** Something is gone afterwards that cannot be had back. */
  readonly destructive: boolean;
  /**
   * May be sent again when an answer got lost: twice does no more than once, and the second answer misleads nobody. `key`: with
   * the header Idempotency-Key.
   */
  readonly idempotent: boolean | 'key';
  /** An agent needs a person's approval for this exact call. */
  readonly approval: boolean;
  /** It takes time of a machine, which can cost money. */
  readonly spends: boolean;
  /** Offered as an MCP tool. */
  readonly mcp: boolean;
  /** The same on the command line, see `commandWords`; or why there is none. */
  readonly command: string | { readonly none: string };
}

type Command = OperationMeta['command'];

export const PEOPLE = ['session', 'token', 'apiKey'] as const satisfies readonly IdentityKind[];
/** Only for admins; agents have no business there. */
export const ADMIN = { admin: 'only', mcp: false } as const;
export const WIDER = { admin: 'wider' } as const;
export const PUBLIC = { identities: 'public', mcp: false } as const;
/** Only a person in the browser: approving a device, changing a password. */
export const IN_BROWSER = { identities: ['session'], mcp: false } as const;
export const NO_COMMAND = { none: 'Only a person in the browser may do it.' } as const;

const STANDARD: Omit<OperationMeta, 'idempotent' | 'command'> = {
  ...{ identities: PEOPLE, admin: false, readOnly: false, destructive: false },
  ...{ approval: false, spends: false, mcp: true },
};

export const reading = (command: Command, more: Partial<OperationMeta> = {}): OperationMeta => ({
  ...STANDARD,
  ...{ readOnly: true, idempotent: true, command },
  ...more,
});
export const writing = (
  command: Command,
  more: Partial<OperationMeta> & Pick<OperationMeta, 'idempotent'>,
): OperationMeta => ({ ...STANDARD, command, ...more });
/** Sent twice, it says that there is no such thing: so it is. */
export const destroying = (command: Command, more: Partial<OperationMeta> = {}): OperationMeta =>
  writing(command, { destructive: true, approval: true, idempotent: true, ...more });

const operation = (meta: OperationMeta) => oc.$meta<OperationMeta>(meta);
export const read = (...decided: Parameters<typeof reading>) => operation(reading(...decided));
export const write = (...decided: Parameters<typeof writing>) => operation(writing(...decided));
export const destroy = (...decided: Parameters<typeof destroying>) => operation(destroying(...decided));

/** The one place that knows where oRPC keeps it. */
export const metaOf = (declared: { readonly '~orpc': { readonly meta: unknown } }): OperationMeta =>
  declared['~orpc'].meta as OperationMeta;

/** Of a thing that changes while people look at it: of two that arrive, the one with the smaller number is old news. */
export const Version = z
  .number()
  .int()
  .min(0)
  .describe('Grows with every change of this thing; a smaller one is older');
export const Time = z.iso.datetime().describe('A time, RFC 3339 in UTC');
export const Name = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/, 'Lower-case letters, digits, and . _ - inside; at most 63')
  .describe('A short name: lower-case letters, digits, and . _ - inside');

/** An id that carries its kind: `j_…` job, `u_…` person, and so on. */
export const id = <P extends string>(prefix: P) =>
  z
    .string()
    .regex(new RegExp(`^${prefix}_[0-9a-z]{6,40}$`))
    .describe(`An id that begins with ${prefix}_`);

/** Named by jobs, which sandboxes name too. */
export const SandboxId = id('s');

export const Page = {
  limit: z.coerce.number().int().min(1).max(200).default(50).describe('Entries a page, 1 to 200'),
  cursor: z.string().max(200).optional().describe('nextCursor of the page before'),
};

export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable().describe('null on the last page') });

export const Done = z.object({ done: z.literal(true) });
export const Empty = z.object({});
