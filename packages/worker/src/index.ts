/** The program that runs one job, also as a library: the command line runs a job right here with it. */
export type { Deadline, Upload, WorkerChannel } from './channel.ts';
export { answerGit, type CredentialHelper, type GitCredential } from './credential.ts';
export { type Collected, type Collecting, collectDiff } from './diff.ts';
export { type Git, type GitCall, GitError, openGit } from './git.ts';
export { HttpChannel, type HttpChannelOptions } from './http-channel.ts';
export { type RunOptions, runWorkOrder } from './run.ts';
export type { Source } from './source.ts';
