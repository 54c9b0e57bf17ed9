import { z } from 'zod';
import { DiffStat, Env, Failure, ImageRef, JobId, Resources } from './jobs.ts';
import { LogStream } from './logs.ts';
import { DriverName } from './profiles.ts';
import { destroy, id, Name, Page, pageOf, read, SandboxId, Time, Version, WIDER, write } from './shared.ts';
import { EXECUTION_STATES, SANDBOX_STATES } from './state-words.ts';

export const ExecutionId = id('e');

export const SandboxState = z.enum(SANDBOX_STATES).describe('Where the sandbox stands');
export const ExecutionState = z.enum(EXECUTION_STATES).describe('Where the execution stands');

/** A sandbox nobody uses for so long is closed when nothing else is said; none lives longer than the second. */
export const SANDBOX_LIMITS = { idleSeconds: 3600, lifetimeSeconds: 24 * 3600 } as const;
const Limit = z
  .number()
  .int()
  .min(30)
  .max(30 * 24 * 3600);

const idempotencyKey = z
  .string()
  .min(1)
  .max(200)
  .optional()
  .describe('The same key again gives the same one. The header Idempotency-Key works too');

export const NewSandbox = z.object({
  sandbox: SandboxId.optional().describe('Connect to this one again in place of opening one; a paused one goes on'),
  job: JobId.optional().describe(
    "Of one's own that has ended: its files as it left them are laid out in the sandbox. Profile, image, resources and environment are the job's where nothing else is said",
  ),
  profile: Name.optional().describe('That of the job, or the default profile, when left out'),
  name: z.string().trim().min(1).max(100).optional(),
  image: ImageRef.optional(),
  resources: Resources.default({}),
  env: Env.default({}).describe('Environment of all that is executed in it; stored encrypted'),
  idleSeconds: Limit.default(SANDBOX_LIMITS.idleSeconds).describe('Without activity it is closed after so long'),
  lifetimeSeconds: Limit.default(SANDBOX_LIMITS.lifetimeSeconds).describe(
    'It is closed after so long whatever it does',
  ),
  metadata: z
    .record(z.string().min(1).max(60), z.string().max(500))
    .refine((entries) => Object.keys(entries).length <= 30, 'At most 30 entries')
    .default({})
    .describe('Whatever its person wants to know of it'),
  idempotencyKey,
});
export type NewSandbox = z.infer<typeof NewSandbox>;

export const Session = z
  .object({
    state: z.enum(['none', 'connected', 'reconnecting', 'disconnected', 'error']),
    since: Time.nullable(),
    detail: z.string().nullable().describe('Why it is not connected'),
  })
  .describe('The connection to the machine of a sandbox');
export type Session = z.infer<typeof Session>;

export const SandboxTree = z
  .object({
    path: z.string().describe('A git work tree; commands begin in it'),
    commit: z.string().describe('The commit the job began with'),
    partial: z.boolean().describe('The job had not succeeded: its files are as they were saved last'),
  })
  .describe('Where the files of the job lie, once they do');
export type SandboxTree = z.infer<typeof SandboxTree>;

export const Sandbox = z.object({
  id: SandboxId,
  version: Version,
  name: z.string().nullable(),
  state: SandboxState,
  stateSince: Time,
  reason: z.string().describe('Why it is in this state, in plain words'),
  failure: Failure.nullable(),
  session: Session,
  owner: z.object({ id: z.string(), name: z.string() }),
  profile: z.string(),
  driver: DriverName,
  image: z.string().nullable(),
  resources: Resources,
  envNames: z.array(z.string()),
  metadata: z.record(z.string(), z.string()),
  job: JobId.nullable().describe('Whose files were laid out in it'),
  tree: SandboxTree.nullable(),
  createdAt: Time,
  readyAt: Time.nullable().describe('When its machine proved that it runs'),
  finishedAt: Time.nullable(),
  lastActivity: Time.describe('Something was executed, read, written or typed in it'),
  closeRequestedAt: Time.nullable(),
  idleSeconds: z.number().int(),
  lifetimeSeconds: z.number().int(),
  closesAt: Time.nullable().describe('By itself, as things are now'),
  closesSoon: z.enum(['idle', 'lifetime']).nullable().describe('Why it closes then, once that is near'),
  executionsRunning: z.number().int(),
});
export type Sandbox = z.infer<typeof Sandbox>;

export const TerminalSize = z.object({
  columns: z.number().int().min(2).max(1000),
  rows: z.number().int().min(2).max(1000),
});

/** As much as the machine layer takes; what is longer goes by standard input or by file. */
export const MAX_COMMAND_BYTES = 2 * 1024 * 1024;

export const NewExecution = z.object({
  sandbox: SandboxId,
  command: z
    .union([z.array(z.string()).min(1).max(10_000), z.object({ shell: z.string().min(1) })])
    .describe('A program with its arguments, never put through a shell; or a script for sh'),
  cwd: z.string().min(1).max(4096).optional().describe('The folder of the sandbox when left out'),
  env: Env.default({}),
  user: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9._-]{0,63}$/, 'The name of an account')
    .optional(),
  stdin: z.boolean().default(false).describe('It will be written to; else its standard input is empty'),
  terminal: TerminalSize.optional(),
  timeoutSeconds: z
    .number()
    .int()
    .min(1)
    .max(30 * 24 * 3600)
    .optional(),
  graceSeconds: z.number().min(0).max(300).default(5).describe('Between TERM and KILL'),
  idempotencyKey,
});
export type NewExecution = z.infer<typeof NewExecution>;

export const Execution = z.object({
  id: ExecutionId,
  version: Version,
  sandbox: SandboxId,
  job: JobId.nullable().default(null).describe('Whose worker it is: it ends with the job'),
  title: z.string().describe('The command in words, cut'),
  state: ExecutionState,
  stateSince: Time,
  reason: z.string(),
  failure: Failure.nullable(),
  cancelRequestedAt: Time.nullable(),
  terminal: z.boolean(),
  stdin: z.boolean(),
  createdAt: Time,
  startedAt: Time.nullable(),
  finishedAt: Time.nullable(),
  exitCode: z.number().int().nullable().describe('As a shell says it: 128 and more for a signal'),
  signal: z.string().nullable(),
  output: z
    .object({ stdout: z.number().int(), stderr: z.number().int(), truncated: z.boolean() })
    .describe('Bytes kept so far; truncated: there were more than the limit'),
  leftover: z.number().int().describe('Processes that could not be ended'),
});
export type Execution = z.infer<typeof Execution>;

/** A piece of what an execution printed. Numbers of bytes are of its stream; pieces of one stream may overlap, never leave out. */
export const OutputPiece = z.object({
  n: z.number().int(),
  at: Time,
  stream: LogStream,
  text: z.string().describe('OFFSET:BASE64 of stdout and stderr; plain text of system'),
});

export const StatusQuery = z.object({
  execution: ExecutionId,
  after: z.coerce.number().int().min(0).optional().describe('Pieces after this number; Last-Event-ID works too'),
});

export const OutputQuery = z.object({
  stream: z.enum(['stdout', 'stderr']).default('stdout'),
  download: z.stringbool().default(false).describe('As a file; else as text to look at'),
});

export const InputQuery = z.object({
  at: z.coerce.number().int().min(0).describe('Bytes of input sent before: sent again, a part changes nothing'),
  end: z.stringbool().default(false).describe('Nothing comes after this'),
});

export const TerminalQuery = z.object({
  execution: ExecutionId,
  after: z.coerce
    .number()
    .int()
    .min(0)
    .optional()
    .describe('Output before this byte is there already; when left out, its end comes'),
  writer: z
    .string()
    .regex(/^[A-Za-z0-9]{8,64}$/, '8 to 64 letters and digits')
    .optional()
    .describe('Of this client, at random: who comes back with it is told how much of what it typed is in'),
});

/** What was changed in a work tree of a sandbox. Its text is fetched by `diff`, for an hour at least. */
export const SandboxDiff = z.object({
  ...DiffStat.omit({ partial: true }).shape,
  diff: z.string().regex(/^[0-9a-z]{8,40}$/),
  path: z.string().describe('The work tree'),
  commit: z.string().describe('What it is against'),
  sha256: z.string(),
});
export type SandboxDiff = z.infer<typeof SandboxDiff>;

const bySandbox = z.object({ id: SandboxId });
const byExecution = z.object({ id: ExecutionId });

export const sandboxes = {
  open: write(
    'sandbox open [--job {job}] [--on {profile}] [--name {name}] [--image {image}] [--cpus {resources.cpus}] [--memory {resources.memoryBytes}] [--env {env}] [--idle {idleSeconds}] [--lifetime {lifetimeSeconds}]',
    { idempotent: 'key', spends: true },
  )
    .route({
      method: 'POST',
      path: '/drivers/connect',
      summary: 'Open a sandbox, or connect to one',
      successStatus: 202,
    })
    .input(NewSandbox)
    .output(Sandbox),
  list: read(
    'sandbox list [--state {state}] [--all {mine=false}] [--on {profile}] [--limit {limit}] [--cursor {cursor}]',
    WIDER,
  )
    .route({ method: 'GET', path: '/drivers/sessions', summary: 'Sandboxes, newest first' })
    .input(
      z.object({
        ...Page,
        state: z
          .union([SandboxState, z.array(SandboxState)])
          .optional()
          .describe('One or more states'),
        mine: z.stringbool().or(z.boolean()).default(true).describe('false: of everybody, for admins'),
        profile: z.string().max(64).optional(),
      }),
    )
    .output(pageOf(Sandbox)),
  get: read('sandbox show {id}', WIDER)
    .route({ method: 'GET', path: '/drivers/sessions/{id}', summary: 'A sandbox' })
    .input(bySandbox)
    .output(Sandbox),
  close: destroy('sandbox close {id}', WIDER)
    .route({
      method: 'POST',
      path: '/drivers/disconnect',
      summary: 'Leave a sandbox; its machine goes unless it is kept',
    })
    .input(bySandbox.extend({ keep: z.boolean().default(false).describe('The machine stays as it is') }))
    .output(Sandbox),
  pause: write('sandbox pause {id}', { idempotent: true, ...WIDER })
    .route({ method: 'POST', path: '/drivers/pause', summary: 'Pause a sandbox, where its driver can' })
    .input(bySandbox)
    .output(Sandbox),
  resume: write('sandbox resume {id}', { idempotent: true, spends: true, ...WIDER })
    .route({ method: 'POST', path: '/drivers/resume', summary: 'Let a paused sandbox go on' })
    .input(bySandbox)
    .output(Sandbox),
  // Made anew in the machine each time; whoever is wider reaches into no machine of others.
  diff: write('sandbox diff {id} [--path {path}] [--base {base}]', { idempotent: true, mcp: false })
    .route({
      method: 'POST',
      path: '/drivers/sessions/{id}/diff',
      summary: 'What was changed in a git work tree of a sandbox',
    })
    .input(
      bySandbox.extend({
        path: z
          .string()
          .min(1)
          .max(4096)
          .regex(/^[^\0]+$/)
          .optional()
          .describe('A folder in the work tree; that of its job, or its home folder, when left out'),
        base: z
          .string()
          .min(1)
          .max(250)
          .regex(/^(?!-)[^\u0000-\u001f\u007f]+$/, 'A commit, as git names it')
          .optional()
          .describe('In place of HEAD; what was laid out for a job is always against the base of that'),
      }),
    )
    .output(SandboxDiff),
  executions: read('sandbox show {id}', WIDER)
    .route({
      method: 'GET',
      path: '/drivers/sessions/{id}/executions',
      summary: 'What was executed in a sandbox, newest first',
    })
    .input(bySandbox.extend(Page))
    .output(pageOf(Execution)),
  // Who is wider may look at what others run, not run something in their machines.
  execute: write('sandbox exec {sandbox} [--shell {command.shell}] -- {command}', { idempotent: 'key', spends: true })
    .route({ method: 'POST', path: '/drivers/execute', summary: 'Execute a command in a sandbox', successStatus: 202 })
    .input(NewExecution)
    .output(Execution),
  execution: read({ none: 'sandbox exec ends with it, sandbox show lists them.' }, WIDER)
    .route({ method: 'GET', path: '/drivers/executions/{id}', summary: 'An execution' })
    .input(byExecution)
    .output(Execution),
  cancel: write({ none: 'Ctrl-C of sandbox exec' }, { idempotent: true, ...WIDER })
    .route({ method: 'POST', path: '/drivers/cancel', summary: 'End an execution with all its processes' })
    .input(byExecution.extend({ graceSeconds: z.number().min(0).max(300).optional() }))
    .output(Execution),
};
