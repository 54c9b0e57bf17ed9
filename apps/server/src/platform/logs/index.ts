export type { LogSink } from './follow/log-follower.ts';
export type { FollowFrom } from './follow/log-hubs.ts';
export { createLogs, type Logs } from './logs.ts';
export { answerLogRequest } from './read/answer.ts';
