import { z } from 'zod';
import { id, read, Time, Version, WIDER, write } from './shared.ts';

export const StepStatus = z.enum(['pending', 'running', 'completed', 'failed']);
export type StepStatus = z.infer<typeof StepStatus>;
export const ActivityStatus = z.enum(['in_progress', 'completed', 'failed']);
export type ActivityStatus = z.infer<typeof ActivityStatus>;

export const ActivityId = id('a');

export const ActivityMessage = z
  .discriminatedUnion('type', [
    z.object({
      type: z.literal('DEVOPS_STARTED'),
      operation: z.string().trim().min(1).max(200),
      steps: z.array(z.string().trim().min(1).max(200)).max(100).default([]),
      link: z
        .string()
        .max(500)
        .regex(/^\/(?!\/)/, 'A path on this server')
        .optional(),
    }),
    z.object({
      type: z.literal('DEVOPS_STEP_UPDATE'),
      step: z.string().trim().min(1).max(200),
      status: StepStatus,
      error: z.string().max(2000).optional(),
    }),
    z.object({ type: z.literal('DEVOPS_COMPLETE'), note: z.string().max(2000).optional() }),
    z.object({ type: z.literal('DEVOPS_FAILED'), error: z.string().max(2000) }),
  ])
  .describe('What is being done, as it happens');
export type ActivityMessage = z.infer<typeof ActivityMessage>;

export const ActivityStep = z.object({
  name: z.string(),
  status: StepStatus,
  startedAt: Time.nullable(),
  completedAt: Time.nullable(),
  error: z.string().nullable(),
});
export type ActivityStep = z.infer<typeof ActivityStep>;

export const Activity = z.object({
  id: ActivityId,
  version: Version,
  operation: z.string(),
  status: ActivityStatus,
  startedAt: Time,
  completedAt: Time.nullable(),
  steps: z.array(ActivityStep),
  error: z.string().nullable(),
  actor: z
    .object({ id: z.string().nullable(), name: z.string() })
    .describe('Who started it: a person, the CLI, the server, an agent'),
  correlationId: z.string().nullable().describe('For example the id of the job'),
  link: z.string().nullable().describe('A path on this server'),
});
export type Activity = z.infer<typeof Activity>;

export const ActivityQuery = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(10).describe('Entries of recent'),
  status: ActivityStatus.optional(),
  actor: z.string().max(100).optional(),
  correlationId: z.string().max(100).optional(),
});

export const activity = {
  list: read('activity [--status {status}] [--actor {actor}] [--about {correlationId}] [--limit {limit}]', WIDER)
    .route({ method: 'GET', path: '/devops/activity', summary: 'What is being done now and was done lately' })
    .input(ActivityQuery)
    .output(z.object({ current: z.array(Activity), recent: z.array(Activity) })),
  get: read({ none: 'The list shows all that is known of one.' }, WIDER)
    .route({ method: 'GET', path: '/devops/activity/{id}', summary: 'One activity' })
    .input(z.object({ id: ActivityId }))
    .output(Activity),
  start: write('activity start {operation} [--step {steps}] [--about {correlationId}] [--link {link}]', {
    idempotent: false,
  })
    .route({ method: 'POST', path: '/devops/activity', summary: 'Say that something begins', successStatus: 201 })
    .input(
      z.object({
        operation: z.string().trim().min(1).max(200),
        steps: z.array(z.string().trim().min(1).max(200)).max(100).default([]),
        correlationId: z.string().max(100).optional(),
        link: z
          .string()
          .max(500)
          .regex(/^\/(?!\/)/)
          .optional(),
      }),
    )
    .output(Activity),
  // The same message again changes nothing: steps and ends that are over stay as they are.
  publish: write({ none: 'activity step, complete and fail, one for each message' }, { idempotent: true, ...WIDER })
    .route({ method: 'POST', path: '/devops/activity/{id}/messages', summary: 'Say how it goes on' })
    .input(z.object({ id: ActivityId, message: ActivityMessage, at: Time.optional() }))
    .output(Activity),
};

/** Frames of the SSE routes `GET /events` and `GET /devops/activity/events`: `event` is the type, `data` the JSON. */
export const LiveEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('activity'), data: Activity }),
  z.object({
    type: z.literal('job'),
    data: z.object({ id: z.string(), version: Version }).describe('Job, see GET /jobs/{id}, without its spec'),
  }),
  z.object({ type: z.literal('sandbox'), data: z.object({ id: z.string(), version: Version }).describe('Sandbox') }),
  z.object({
    type: z.literal('execution'),
    data: z.object({ id: z.string(), version: Version }).describe('Execution'),
  }),
]);
