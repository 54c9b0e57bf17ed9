export { answerLogRequest, openEventStream } from './answer.ts';
export type { LogSink } from './log-follower.ts';
export type { FollowFrom } from './log-hubs.ts';
export { createLogs, type LogStats, type Logs } from './logs.ts';
