import { z } from 'zod';
import { Time } from './shared.ts';

export const LogStream = z.enum(['stdout', 'stderr', 'system']).describe('system: what Hangar itself says');
export type LogStream = z.infer<typeof LogStream>;

export const LogLine = z.object({
  n: z.number().int().describe('Number of the line in its log, from 1, without gaps'),
  at: Time,
  stream: LogStream,
  text: z.string().describe('Without the line end; ANSI colours are kept'),
});
export type LogLine = z.infer<typeof LogLine>;

/**
 * Query of `GET /jobs/{id}/logs`, a raw route. It answers JSON (LogPage); with `Accept: text/event-stream` or `follow=true`
 * SSE: `id` is the number of the last line of a frame, `data` a JSON array of LogLine, `event: end` (data: LogEnd) closes it.
 * `Last-Event-ID` resumes after that line. `format=text|gz` downloads the whole log.
 */
export const LogQuery = z.object({
  after: z.coerce.number().int().min(0).optional().describe('Lines after this number'),
  before: z.coerce.number().int().min(1).optional().describe('Lines before this number, the last of them first cut'),
  tail: z.coerce.number().int().min(0).max(1_000_000).optional().describe('Only the last lines'),
  since: z.string().max(40).optional().describe('A time (RFC 3339) or an age like 10m, 2h'),
  grep: z.string().max(500).optional().describe('Only lines that hold this text, case does not matter'),
  stream: LogStream.optional(),
  limit: z.coerce.number().int().min(1).max(10_000).default(1000),
  follow: z.stringbool().optional(),
  format: z.enum(['json', 'text', 'gz']).default('json'),
});
export type LogQuery = z.infer<typeof LogQuery>;

export const LogPage = z.object({
  lines: z.array(LogLine),
  total: z.number().int().describe('Lines the log has now'),
  nextAfter: z.number().int().nullable().describe('Give it as after for the next page; null when there is no more now'),
  ended: z.boolean().describe('Nothing will be added'),
});
export type LogPage = z.infer<typeof LogPage>;

export const LogEnd = z.object({ total: z.number().int(), state: z.string().nullable() });
export type LogEnd = z.infer<typeof LogEnd>;
