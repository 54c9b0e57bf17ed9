/** The program that runs one job, also as a library: the command line runs a job right here with it. */

export { type Git, type GitCall, GitError, openGit } from './git/git.ts';
export { type Collected, type Collecting, collectDiff } from './result/diff.ts';
export { type RunOptions, runWorkOrder } from './run.ts';
export type { Deadline, Upload, WorkerChannel } from './server/channel.ts';
export { HttpChannel, type HttpChannelOptions } from './server/http-channel.ts';
export { answerGit, type CredentialHelper, type GitCredential } from './source/credential.ts';
export type { Source } from './source/source.ts';
