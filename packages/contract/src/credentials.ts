import { z } from 'zod';
import { Done, destroy, Empty, Name, read, Time, write } from './shared.ts';

export const CredentialKind = z.enum(['https-token', 'ssh-key']);
export type CredentialKind = z.infer<typeof CredentialKind>;

export const Credential = z
  .object({
    name: Name,
    kind: CredentialKind,
    host: z.string().nullable().describe('The only host it is given to; null for any'),
    username: z.string().nullable(),
    createdAt: Time,
    lastUsedAt: Time.nullable(),
  })
  .describe('A git credential; its value is never shown again');
export type Credential = z.infer<typeof Credential>;

export const NewCredential = z.object({
  name: Name,
  kind: CredentialKind,
  host: z
    .string()
    .regex(/^[a-z0-9.-]+(:\d+)?$/i, 'A host name, with :port where it has one')
    .max(255)
    .optional(),
  username: z
    .string()
    .min(1)
    .max(200)
    .regex(/^[^\r\n\0]*$/)
    .optional()
    .describe('For HTTPS; x-access-token when left out'),
  value: z
    .string()
    .min(1)
    .max(64 * 1024)
    .describe('The token, or the private key in OpenSSH or PEM form without a passphrase')
    .meta({ writeOnly: true }),
  knownHosts: z
    .string()
    .max(64 * 1024)
    .optional()
    .describe('Lines of a known_hosts file; without it the first key seen is trusted'),
});
export type NewCredential = z.infer<typeof NewCredential>;

export const credentials = {
  list: read('cloud credentials list')
    .route({ method: 'GET', path: '/credentials', summary: 'My git credentials, names and kinds only' })
    .input(Empty)
    .output(z.object({ items: z.array(Credential) })),
  // A second one is refused because of its name, as if somebody else had come first.
  create: write('cloud credentials add {name} [--kind {kind}] [--host {host}] [--username {username}]', {
    idempotent: false,
    mcp: false,
  })
    .route({ method: 'POST', path: '/credentials', summary: 'Keep a git credential', successStatus: 201 })
    .input(NewCredential)
    .output(Credential),
  remove: destroy('cloud credentials remove {name}')
    .route({ method: 'DELETE', path: '/credentials/{name}', summary: 'Remove a git credential' })
    .input(z.object({ name: Name }))
    .output(Done),
};
