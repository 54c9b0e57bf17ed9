import { z } from 'zod';
import { HangarError } from './errors.ts';
import { DriverName } from './profiles.ts';
import { Empty, id, Name, Page, pageOf, read, SandboxId, Time, Version, WIDER, write } from './shared.ts';
import { JOB_PHASES, JOB_STATES } from './state-words.ts';
import { sizeInWords } from './words/size.ts';

export const JobState = z.enum(JOB_STATES).describe('Where the job stands');
export type JobState = z.infer<typeof JobState>;
export const JobPhase = z.enum(JOB_PHASES);
export type JobPhase = z.infer<typeof JobPhase>;

export const MAX_SPEC_BYTES = 1024 * 1024;

export const JobId = id('j');
export const UploadId = id('up');
export const GitSha = z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/, 'A full commit id');
/** As git check-ref-format allows, and never an option: it cannot begin with a dash. */
export const GitRef = z
  .string()
  .min(1)
  .max(250)
  .regex(
    /^(?![-/.])(?!.*(\.\.|@\{|\/\/|\/\.|\.lock(\/|$)))[^\s~^:?*[\\\u0000-\u001f\u007f]+(?<![/.])$/,
    'A branch, a tag or a commit',
  );
/** https, http, ssh or scp-like; no option, no file, no remote helper. */
export const RepoUrl = z
  .string()
  .min(3)
  .max(2000)
  .regex(
    /^(https?:\/\/[^\s\u0000-\u001f]+|ssh:\/\/[^\s\u0000-\u001f-][^\s\u0000-\u001f]*|(?!-)[A-Za-z0-9._~-]+@[A-Za-z0-9][A-Za-z0-9.-]*:(?!\/\/)[^\s\u0000-\u001f]+)$/,
    'https://, http://, ssh:// or git@host:path',
  );

export const ImageRef = z
  .string()
  .min(1)
  .max(300)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._/:@-]*$/, 'An image reference');

export const EnvName = z
  .string()
  .regex(
    /^(?!HANGAR_|GIT_|LD_|NODE_OPTIONS$)[A-Za-z_][A-Za-z0-9_]{0,199}$/,
    'Letters, digits and _; not HANGAR_*, GIT_*, LD_* or NODE_OPTIONS',
  );
export const Env = z
  .record(EnvName, z.string().max(64 * 1024))
  .describe(
    'Environment of the agent, with that of the spec at most 1,000 variables of 256 KiB together; values are stored encrypted, and masked in the log where name or value look like a secret',
  );

/** Names and values together. A process can be given about two megabytes in all, arguments included. */
export const MAX_ENV_BYTES = 256 * 1024;
export const MAX_ENV_NAMES = 1_000;

/** @throws HangarError env_too_large */
export function checkEnv(env: Readonly<Record<string, string>>): void {
  const entries = Object.entries(env);
  const bytes = new TextEncoder().encode(entries.flat().join('')).length;
  if (entries.length <= MAX_ENV_NAMES && bytes <= MAX_ENV_BYTES) return;
  throw new HangarError('env_too_large', {
    message: `The environment has ${entries.length} variables of ${sizeInWords(bytes)} together; a job may have ${MAX_ENV_NAMES} of ${sizeInWords(MAX_ENV_BYTES)}.`,
    details: { bytes, limitBytes: MAX_ENV_BYTES, variables: entries.length, limitVariables: MAX_ENV_NAMES },
  });
}

export const Resources = z.object({
  cpus: z.number().min(0.1).max(1024).optional().describe('CPU cores'),
  memoryBytes: z
    .number()
    .int()
    .min(32 * 1024 * 1024)
    .optional(),
  pids: z.number().int().min(16).max(1_000_000).optional(),
});
export type Resources = z.infer<typeof Resources>;

/** What the agent itself says it used. Hangar neither counts nor prices. */
export const Usage = z.object({
  inputTokens: z.number().int().min(0).describe('All tokens read, cached ones included'),
  cachedInputTokens: z.number().int().min(0).nullable().describe('Of these, from a cache; null when it does not say'),
  outputTokens: z.number().int().min(0),
  costUsd: z.number().min(0).nullable().describe('US dollars; null when it does not say'),
  model: z.string().max(200).nullable(),
  turns: z.number().int().min(0).nullable().describe('Answers of the model; null when it does not say'),
});
export type Usage = z.infer<typeof Usage>;

/** Jobs sent together, to be set side by side. */
export const Group = Name.describe('Jobs of one person with the same group belong together');

export const TimeoutSeconds = z
  .number()
  .int()
  .min(5)
  .max(30 * 24 * 3600);

export const RepoInput = z
  .object({
    url: RepoUrl.optional().describe('Left out when the whole checkout travels as a bundle'),
    ref: GitRef.optional().describe('Branch, tag or commit; the default branch when left out'),
    commit: GitSha.optional().describe('The exact commit to start from'),
    bundle: UploadId.optional().describe(
      'A git bundle sent to POST /uploads before; what it builds on and does not hold is fetched from url',
    ),
    patch: UploadId.optional().describe('A binary git diff against commit, for uncommitted work'),
    name: z.string().max(200).optional().describe('How people call the repository; taken from the URL when left out'),
    root: GitSha.optional().describe('The first commit of its history: tells which repository it is'),
  })
  .refine((repo) => repo.url !== undefined || repo.bundle !== undefined, { message: 'Needs url or bundle' })
  .refine((repo) => repo.bundle === undefined || repo.commit !== undefined, { message: 'A bundle needs commit' });

export const NewJob = z.object({
  spec: z.string().describe('Markdown, optionally with YAML front matter; at most 1 MiB'),
  repo: RepoInput,
  title: z.string().trim().min(1).max(200).optional().describe('The first heading of the spec when left out'),
  agent: z
    .string()
    .min(1)
    .max(4000)
    .optional()
    .describe('A preset, or any command; front matter or shell when left out'),
  profile: Name.optional().describe('The default profile when left out'),
  sandbox: SandboxId.optional().describe(
    "An open sandbox of one's own in which the agent works, in place of a profile: its machine, image, resources and environment are the job's",
  ),
  credential: Name.optional().describe('A git credential by its name'),
  env: Env.default({}),
  image: ImageRef.optional(),
  resources: Resources.default({}),
  timeoutSeconds: TimeoutSeconds.optional().describe('Of the agent; front matter or 3600 when left out'),
  group: Group.optional().describe('Jobs with the same group can be compared'),
  idempotencyKey: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe('The same key again gives the same job. The header Idempotency-Key works too'),
});
export type NewJob = z.infer<typeof NewJob>;

export const Phase = z.object({
  name: JobPhase,
  startedAt: Time,
  endedAt: Time.nullable(),
  reason: z.string().nullable().describe('What it waited for or did, in plain words'),
});
export type Phase = z.infer<typeof Phase>;

export const Failure = z.object({ code: z.string(), message: z.string(), wayOut: z.string() });
export type Failure = z.infer<typeof Failure>;

export const DiffStat = z.object({
  filesChanged: z.number().int(),
  insertions: z.number().int(),
  deletions: z.number().int(),
  sizeBytes: z.number().int(),
  partial: z.boolean().describe('Saved before the agent ended'),
  leftOut: z
    .array(z.string().max(500))
    .max(20)
    .optional()
    .describe('What the agent made and the diff does not hold, in plain words'),
});
export type DiffStat = z.infer<typeof DiffStat>;

export const Job = z.object({
  id: JobId,
  version: Version,
  title: z.string(),
  state: JobState,
  stateSince: Time,
  reason: z.string().describe('Why it is in this state, in plain words'),
  cancelRequestedAt: Time.nullable(),
  owner: z.object({ id: z.string(), name: z.string() }),
  agent: z.string(),
  profile: z.string(),
  driver: DriverName,
  sandbox: SandboxId.nullable().default(null).describe('The sandbox that the agent works in, where it was sent to one'),
  repo: z.object({
    name: z.string(),
    url: z.string().nullable().describe('Without any user or password in it'),
    ref: z.string().nullable(),
    commit: z.string().nullable().describe('Known at submit, or once the worker has cloned'),
    fromCheckout: z.boolean().describe('The checkout travelled as a bundle'),
    root: GitSha.nullish().describe('The first commit of its history, where the sender knew it'),
  }),
  image: z.string().nullable(),
  resources: Resources,
  timeoutSeconds: z.number().int(),
  credential: z.string().nullable(),
  createdAt: Time,
  startedAt: Time.nullable().describe('When the agent began'),
  finishedAt: Time.nullable(),
  elapsedSeconds: z.number().describe('From submit to now or to the end'),
  phases: z.array(Phase),
  queue: z.object({ position: z.number().int(), running: z.number().int(), limit: z.number().int() }).nullable(),
  eta: z
    .object({ earliestAt: Time, latestAt: Time, basis: z.number().int().describe('How many earlier jobs it rests on') })
    .nullable()
    .describe('From earlier jobs of the same repository and agent; null when unknown'),
  exitCode: z.number().int().nullable().describe('Of the agent'),
  failure: Failure.nullable(),
  diff: DiffStat.nullable(),
  usage: Usage.nullable().describe('As the agent reported it; null when it does not'),
  group: Group.nullable(),
  logLines: z.number().int(),
  retryOf: JobId.nullable(),
});
export type Job = z.infer<typeof Job>;

export const JobEvent = z.object({ at: Time, state: JobState, reason: z.string(), attempt: z.number().int() });
export type JobEvent = z.infer<typeof JobEvent>;

export const JobDetail = Job.extend({
  spec: z.string(),
  envNames: z.array(z.string()),
  events: z.array(JobEvent),
  lastWordFromWorkerAt: Time.nullable(),
  typical: z
    .array(z.object({ name: JobPhase, medianSeconds: z.number(), basis: z.number().int() }))
    .describe('Medians of the phases of earlier jobs of the same repository and agent'),
  evidence: z
    .object({ n: z.number().int().describe('Number of the line'), text: z.string() })
    .nullable()
    .describe('The line of the log that shows why the job failed'),
  kept: z
    .object({
      logUntil: Time.nullable(),
      logRemovedAt: Time.nullable(),
      artifactsUntil: Time.nullable(),
      artifactsRemovedAt: Time.nullable(),
    })
    .describe('How long the plan keeps what the job left; null is without end'),
});
export type JobDetail = z.infer<typeof JobDetail>;

export const Artifact = z.object({
  name: z.string(),
  kind: z.enum(['diff', 'file']),
  contentType: z.string(),
  sizeBytes: z.number().int(),
  sha256: z.string(),
  partial: z.boolean(),
  createdAt: Time,
});
export type Artifact = z.infer<typeof Artifact>;

/** Answer of the raw route POST /uploads (body: application/octet-stream). */
export const Upload = z.object({ id: UploadId, sizeBytes: z.number().int(), sha256: z.string(), expiresAt: Time });
export type Upload = z.infer<typeof Upload>;

export const AgentInfo = z.object({
  name: z.string(),
  title: z.string(),
  command: z.string(),
  needsEnv: z.array(z.array(z.string())),
  install: z.string(),
  homepage: z.string(),
});
export type AgentInfo = z.infer<typeof AgentInfo>;

const byId = z.object({ id: JobId });

export const jobs = {
  create: write(
    'run --cloud --spec spec.md [--repo {repo.url}] [--ref {repo.ref}] [--title {title}] [--agent {agent}] [--on {profile}] [--in {sandbox}] [--credential {credential}] [--image {image}] [--timeout {timeoutSeconds}] [--cpus {resources.cpus}] [--memory {resources.memoryBytes}] [--env {env}] [--group {group}]',
    { idempotent: 'key', spends: true },
  )
    .route({ method: 'POST', path: '/jobs', summary: 'Send a job', successStatus: 202 })
    .input(NewJob)
    .output(Job),
  list: read(
    'jobs [--state {state}] [--all {mine=false}] [--search {search}] [--agent {agent}] [--on {profile}] [--repo {repo}] [--group {group}] [--limit {limit}] [--cursor {cursor}]',
    WIDER,
  )
    .route({ method: 'GET', path: '/jobs', summary: 'Jobs, newest first' })
    .input(
      z.object({
        ...Page,
        state: z
          .union([JobState, z.array(JobState)])
          .optional()
          .describe('One or more states'),
        mine: z.stringbool().or(z.boolean()).default(true).describe('false: of everybody, for admins'),
        search: z
          .string()
          .max(200)
          .optional()
          .describe(
            'In title, repository, id; less than three letters or digits in a row are looked for in the newest 2,000 jobs',
          ),
        agent: z.string().max(200).optional(),
        profile: z.string().max(64).optional(),
        repo: z.string().max(200).optional(),
        group: Group.optional(),
      }),
    )
    .output(pageOf(Job)),
  get: read('status {id}', WIDER)
    .route({ method: 'GET', path: '/jobs/{id}', summary: 'A job with its spec and history' })
    .input(byId)
    .output(JobDetail),
  // Not destructive: what was done is kept as a partial diff, and the job can be sent again.
  cancel: write('cancel {id}', { idempotent: true, ...WIDER })
    .route({ method: 'POST', path: '/jobs/{id}/cancel', summary: 'Cancel a job; its partial diff is kept' })
    .input(byId)
    .output(Job),
  retry: write('retry {id}', { idempotent: 'key', spends: true, ...WIDER })
    .route({
      method: 'POST',
      path: '/jobs/{id}/retry',
      summary: 'Send the same job again, from the base commit',
      successStatus: 202,
    })
    .input(byId)
    .output(Job),
  artifacts: read('artifacts list {id}', WIDER)
    .route({ method: 'GET', path: '/jobs/{id}/artifacts', summary: 'What a job left behind' })
    .input(byId)
    .output(z.object({ items: z.array(Artifact) })),
  agents: read('agents')
    .route({ method: 'GET', path: '/agents', summary: 'Agents a job can name' })
    .input(Empty)
    .output(z.object({ items: z.array(AgentInfo) })),
};
