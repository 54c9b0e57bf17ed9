import { oc } from '@orpc/contract';
import { z } from 'zod';

/** Who may call an operation. Every operation names its kinds; none is public unless it says so. */
export type IdentityKind = 'session' | 'token' | 'apiKey' | 'public';

export interface OperationMeta {
  /** Identity kinds the route accepts: browser session, device-login token, API key, or nobody at all. */
  identities: readonly IdentityKind[];
  /** Only people with the role admin. */
  admin: boolean;
  readOnly: boolean;
  /** Something is gone afterwards that cannot be had back. */
  destructive: boolean;
  /** An agent needs a person's approval for this exact call. */
  approval: boolean;
  /** The call can cost money. */
  spends: boolean;
  /** Offered as an MCP tool. */
  mcp: boolean;
}

export const PEOPLE: readonly IdentityKind[] = ['session', 'token', 'apiKey'];

const operation = oc.$meta<OperationMeta>({
  identities: PEOPLE,
  admin: false,
  readOnly: false,
  destructive: false,
  approval: false,
  spends: false,
  mcp: true,
});

export const read = operation.meta({ ...meta(), readOnly: true });
export const write = operation.meta(meta());
export const destroy = operation.meta({ ...meta(), destructive: true, approval: true });
export const adminRead = operation.meta({ ...meta(), admin: true, readOnly: true, mcp: false });
export const adminWrite = operation.meta({ ...meta(), admin: true, mcp: false });
/** Only a person in the browser: approving a device, changing a password. */
export const personal = operation.meta({ ...meta(), identities: ['session'], mcp: false });
/** Only people, by browser or by token of a device, but not machines with an API key. */
export const open = operation.meta({ ...meta(), identities: ['public'], mcp: false });

function meta(): OperationMeta {
  return {
    identities: PEOPLE,
    admin: false,
    readOnly: false,
    destructive: false,
    approval: false,
    spends: false,
    mcp: true,
  };
}

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

export const Page = {
  limit: z.coerce.number().int().min(1).max(200).default(50).describe('Entries a page, 1 to 200'),
  cursor: z.string().max(200).optional().describe('nextCursor of the page before'),
};

export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable().describe('null on the last page') });

export const Done = z.object({ done: z.literal(true) });
export const Empty = z.object({});
