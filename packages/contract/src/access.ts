import { z } from 'zod';
import { ADMIN, Done, destroy, Empty, IN_BROWSER, id, NO_COMMAND, PUBLIC, read, Time, write } from './shared.ts';

export const Role = z.enum(['admin', 'member']);
export type Role = z.infer<typeof Role>;

export const Plan = z
  .object({
    id: z
      .string()
      .regex(/^[a-z][a-z0-9-]{0,31}$/)
      .describe('Short name of the plan'),
    title: z.string().min(1).max(60),
    jobsAtOnce: z.number().int().min(1).max(10_000).describe('Jobs of one person that run at the same time'),
    sandboxesAtOnce: z
      .number()
      .int()
      .min(1)
      .max(10_000)
      .default(10)
      .describe('Sandboxes of one person that are open at the same time'),
    jobsWaiting: z.number().int().min(1).max(100_000).describe('Jobs of one person that may wait'),
    minutesPerMonth: z.number().int().min(1).nullable().describe('Run time a calendar month in UTC; null is no limit'),
    maxTimeoutSeconds: z
      .number()
      .int()
      .min(60)
      .max(30 * 24 * 3600),
    maxArtifactBytes: z.number().int().min(1024).describe('All artifacts of one job together'),
    maxLogBytes: z.number().int().min(1024).describe('The log of one job; what comes after is cut with a notice'),
    keepLogDays: z
      .number()
      .int()
      .min(1)
      .max(36_500)
      .nullable()
      .default(null)
      .describe('Days after the end; null is for ever'),
    keepArtifactDays: z
      .number()
      .int()
      .min(1)
      .max(36_500)
      .nullable()
      .default(null)
      .describe('Diffs and files, days after the end; null is for ever'),
    keepBytes: z
      .number()
      .int()
      .min(1024)
      .nullable()
      .default(null)
      .describe('Logs and artifacts of one person together; above it those of the oldest jobs go first'),
  })
  .describe('What a person may use');
export type Plan = z.infer<typeof Plan>;

export const Use = z.object({
  jobsRunning: z.number().int(),
  jobsWaiting: z.number().int(),
  sandboxesOpen: z.number().int().describe('Those that have a place'),
  minutesThisMonth: z.number().describe('Run time since the first of the month, UTC'),
  periodEndsAt: Time,
});
export type Use = z.infer<typeof Use>;

export const Person = z.object({
  id: z.string(),
  name: z.string(),
  email: z.string(),
  role: Role,
  planId: z.string(),
  disabled: z.boolean(),
  hasPassword: z.boolean(),
  createdAt: Time,
  lastSeenAt: Time.nullable(),
});
export type Person = z.infer<typeof Person>;

export const Me = z.object({
  user: Person,
  plan: Plan,
  use: Use,
  identity: z.object({
    kind: z.enum(['session', 'token', 'apiKey']),
    name: z.string().describe('What signed in: a browser, a device, an API key'),
    expiresAt: Time.nullable(),
  }),
  server: z.object({ version: z.string(), url: z.string() }),
});
export type Me = z.infer<typeof Me>;

export const ApiKey = z.object({
  id: id('k'),
  name: z.string(),
  prefix: z.string().describe('The first characters, to tell keys apart'),
  createdAt: Time,
  expiresAt: Time.nullable(),
  lastUsedAt: Time.nullable(),
});
export type ApiKey = z.infer<typeof ApiKey>;

export const Device = z.object({
  id: z.string(),
  client: z.string().describe('Name of the program, for example hangar on laptop'),
  createdAt: Time,
  lastUsedAt: Time.nullable(),
  expiresAt: Time,
});
export type Device = z.infer<typeof Device>;

export const DeviceRequest = z.object({
  userCode: z.string().describe('As shown in the terminal, for example BCDF-GHJK'),
  client: z.string(),
  place: z.string().describe('The address the request came from'),
  userAgent: z.string(),
  requestedAt: Time,
  expiresAt: Time,
  status: z.enum(['waiting', 'approved', 'denied', 'expired']),
});
export type DeviceRequest = z.infer<typeof DeviceRequest>;

export const Invite = z.object({
  id: z.string(),
  role: Role,
  createdBy: z.string(),
  createdAt: Time,
  expiresAt: Time,
});
export type Invite = z.infer<typeof Invite>;

const Password = z.string().min(10, 'At least 10 characters').max(200);
const PersonName = z.string().trim().min(1).max(100);
const Email = z.email().max(200);

export const access = {
  signIn: write(NO_COMMAND, { idempotent: false, ...PUBLIC })
    .route({
      method: 'POST',
      path: '/auth/sign-in',
      summary: 'Sign in with email and password',
      description: 'Sets a session cookie.',
    })
    .input(z.object({ email: Email, password: z.string().min(1).max(200) }))
    .output(Person),
  // The session goes to who asks first: a second one is refused.
  signInByLink: write(NO_COMMAND, { idempotent: false, ...PUBLIC })
    .route({
      method: 'POST',
      path: '/auth/sign-in/link',
      summary: 'Sign in with a one-time link',
      description: 'Sets a session cookie. The token works once.',
    })
    .input(z.object({ token: z.string().min(20).max(200) }))
    .output(Person),
  // Signed out, nobody may ask it again.
  signOut: write(NO_COMMAND, { idempotent: false, ...IN_BROWSER })
    .route({ method: 'POST', path: '/auth/sign-out', summary: 'Sign out of this browser' })
    .input(Empty)
    .output(Done),
  lookAtInvite: read(NO_COMMAND, PUBLIC)
    .route({ method: 'POST', path: '/invites/look', summary: 'What an invitation offers' })
    .input(z.object({ token: z.string().min(20).max(200) }))
    .output(Invite),
  acceptInvite: write(NO_COMMAND, { idempotent: false, ...PUBLIC })
    .route({
      method: 'POST',
      path: '/invites/accept',
      summary: 'Become a person of this server',
      description: 'Sets a session cookie.',
    })
    .input(z.object({ token: z.string().min(20).max(200), name: PersonName, email: Email, password: Password }))
    .output(Person),

  me: read('cloud whoami')
    .route({ method: 'GET', path: '/users/me', summary: 'Who am I: person, plan, quota and use' })
    .input(Empty)
    .output(Me),
  updateMe: write(NO_COMMAND, { idempotent: true, ...IN_BROWSER })
    .route({ method: 'PATCH', path: '/users/me', summary: 'Change my name or email' })
    .input(z.object({ name: PersonName.optional(), email: Email.optional() }))
    .output(Person),
  // The second time, the current one is another.
  setPassword: write(NO_COMMAND, { idempotent: false, ...IN_BROWSER })
    .route({
      method: 'POST',
      path: '/users/me/password',
      summary: 'Set my password',
      description:
        'The current one is needed when there is one, but not within an hour of signing in by a one-time link.',
    })
    .input(z.object({ current: z.string().max(200).optional(), password: Password }))
    .output(Done),
  signOutEverywhere: destroy(NO_COMMAND, { idempotent: false, ...IN_BROWSER })
    .route({
      method: 'POST',
      path: '/users/me/sign-out-everywhere',
      summary: 'End all my sessions and devices',
      description: 'API keys stay.',
    })
    .input(Empty)
    .output(Done),

  listApiKeys: read('keys list', { mcp: false })
    .route({ method: 'GET', path: '/api-keys', summary: 'My API keys' })
    .input(Empty)
    .output(z.object({ items: z.array(ApiKey) })),
  createApiKey: write(NO_COMMAND, { idempotent: false, ...IN_BROWSER })
    .route({ method: 'POST', path: '/api-keys', summary: 'Make an API key', description: 'The key is shown once.' })
    .input(
      z.object({ name: z.string().trim().min(1).max(60), expiresInDays: z.number().int().min(1).max(3650).optional() }),
    )
    .output(ApiKey.extend({ key: z.string() })),
  removeApiKey: destroy('keys remove {id} --yes', { mcp: false })
    .route({ method: 'DELETE', path: '/api-keys/{id}', summary: 'Revoke an API key' })
    .input(z.object({ id: z.string() }))
    .output(Done),

  listDevices: read(NO_COMMAND, IN_BROWSER)
    .route({ method: 'GET', path: '/devices', summary: 'Programs signed in as me' })
    .input(Empty)
    .output(z.object({ items: z.array(Device) })),
  removeDevice: destroy(NO_COMMAND, IN_BROWSER)
    .route({ method: 'DELETE', path: '/devices/{id}', summary: 'Sign a program out' })
    .input(z.object({ id: z.string() }))
    .output(Done),
  lookAtDevice: read(NO_COMMAND, IN_BROWSER)
    .route({ method: 'GET', path: '/device-requests/{userCode}', summary: 'A program that waits for approval' })
    .input(z.object({ userCode: z.string().max(20) }))
    .output(DeviceRequest),
  // What was decided is refused the second time.
  decideDevice: write(NO_COMMAND, { idempotent: false, ...IN_BROWSER })
    .route({ method: 'POST', path: '/device-requests/{userCode}', summary: 'Approve or deny a program' })
    .input(z.object({ userCode: z.string().max(20), approve: z.boolean() }))
    .output(DeviceRequest),

  listPeople: read('people list', ADMIN)
    .route({ method: 'GET', path: '/users', summary: 'People of this server' })
    .input(Empty)
    .output(z.object({ items: z.array(Person) })),
  // Disabling deletes keys and sessions, and another plan may keep less.
  updatePerson: destroy(
    'people update {id} [--role {role}] [--plan {planId}] [--disable {disabled=true}] [--enable {disabled=false}]',
    ADMIN,
  )
    .route({ method: 'PATCH', path: '/users/{id}', summary: 'Change role, plan or access of a person' })
    .input(
      z.object({
        id: z.string(),
        role: Role.optional(),
        planId: z.string().optional(),
        disabled: z.boolean().optional(),
      }),
    )
    .output(Person),
  createSignInLink: write('people sign-in-link {id}', { idempotent: false, ...ADMIN })
    .route({ method: 'POST', path: '/users/{id}/sign-in-link', summary: 'A one-time sign-in link for a person' })
    .input(z.object({ id: z.string() }))
    .output(z.object({ url: z.string(), expiresAt: Time })),
  listInvites: read('invites list', ADMIN)
    .route({ method: 'GET', path: '/invites', summary: 'Open invitations' })
    .input(Empty)
    .output(z.object({ items: z.array(Invite) })),
  createInvite: write('invites create [--role {role}]', { idempotent: false, ...ADMIN })
    .route({
      method: 'POST',
      path: '/invites',
      summary: 'Invite a person',
      description: 'The link is shown once and works once.',
    })
    .input(z.object({ role: Role.default('member') }))
    .output(Invite.extend({ url: z.string() })),
  removeInvite: destroy('invites remove {id}', ADMIN)
    .route({ method: 'DELETE', path: '/invites/{id}', summary: 'Take an invitation back' })
    .input(z.object({ id: z.string() }))
    .output(Done),
  listPlans: read('plans list')
    .route({ method: 'GET', path: '/plans', summary: 'Plans of this server' })
    .input(Empty)
    .output(z.object({ items: z.array(Plan) })),
  // What a plan keeps no longer is removed from everybody who has it.
  putPlan: destroy({ none: 'plans put takes each limit in words of its own.' }, ADMIN)
    .route({ method: 'PUT', path: '/plans/{id}', summary: 'Make or change a plan' })
    .input(Plan)
    .output(Plan),
};

/** Raw routes of the OAuth 2.0 token service: form bodies or JSON, errors exactly as the RFCs say. */
export const OAUTH_CLIENT_ID = 'hangar-cli';
export const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

/** RFC 8628 §3.2 */
export const DeviceAuthorization = z.object({
  device_code: z.string(),
  user_code: z.string(),
  verification_uri: z.string(),
  verification_uri_complete: z.string(),
  expires_in: z.number().int().describe('Seconds'),
  interval: z.number().int().describe('Seconds between polls'),
});
export type DeviceAuthorization = z.infer<typeof DeviceAuthorization>;

/** RFC 6749 §5.1 */
export const TokenAnswer = z.object({
  access_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.number().int().describe('Seconds'),
  refresh_token: z.string(),
  scope: z.string().optional(),
});
export type TokenAnswer = z.infer<typeof TokenAnswer>;

/** RFC 6749 §5.2 and RFC 8628 §3.5 */
export const OAuthError = z.object({
  error: z.enum([
    'invalid_request',
    'invalid_client',
    'invalid_grant',
    'unauthorized_client',
    'unsupported_grant_type',
    'invalid_scope',
    'authorization_pending',
    'slow_down',
    'access_denied',
    'expired_token',
    'server_error',
    'temporarily_unavailable',
  ]),
  error_description: z.string().optional(),
});
export type OAuthError = z.infer<typeof OAuthError>;
