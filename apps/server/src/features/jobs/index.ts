export { type JobsFeature, type JobsSettings, jobsFeature } from './feature.ts';
export { WORKER } from './launch/launch.ts';
export { PATIENCE, type Patience } from './lifecycle/job-facts.ts';
export { sealedEnvironments } from './sealed-environment.ts';
export { jobsRestored } from './store/jobs-restored.ts';
export { createJobsStore, type JobsStore } from './store/jobs-store.ts';
export { WORKER_TOKEN_KEY } from './worker/worker-token.ts';
