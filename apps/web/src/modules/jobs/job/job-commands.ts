import type { Job } from '@hangar/contract';
import { OPERATIONS, RAW_OPERATIONS } from '@hangar/contract/operations';
import { asCommand } from '../../../components/actions/as-command.tsx';

/** What one can do with a job, as commands. */
export const jobCommands = ({ id }: Pick<Job, 'id'>) => ({
  status: asCommand(OPERATIONS.jobs.get, { id }),
  logs: asCommand(RAW_OPERATIONS.jobs.log, { id, follow: true }),
  pull: asCommand(RAW_OPERATIONS.jobs.diff, { id }),
  cancel: asCommand(OPERATIONS.jobs.cancel, { id }),
  retry: asCommand(OPERATIONS.jobs.retry, { id }),
});
