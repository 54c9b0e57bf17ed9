export { answerLogRequest } from './answer.ts';
export type { LogSink } from './log-follower.ts';
export type { FollowFrom } from './log-hubs.ts';
export { createLogs, type Logs } from './logs.ts';
