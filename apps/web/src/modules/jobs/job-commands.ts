import type { Job } from '@hangar/contract';
import { curlFor } from '../../components/as-command.tsx';

export interface CommandPair {
  readonly hangar: string;
  readonly curl: string;
}

/** What one can do with a job, as commands. */
export function jobCommands({ id }: Pick<Job, 'id'>) {
  const pair = (hangar: string, curl: string): CommandPair => ({ hangar, curl });
  return {
    status: pair(`hangar status ${id}`, curlFor('GET', `/jobs/${id}`)),
    logs: pair(`hangar logs ${id} --follow`, curlFor('GET', `/jobs/${id}/logs?follow=true`)),
    pull: pair(`hangar pull ${id}`, curlFor('GET', `/jobs/${id}/artifacts/diff`)),
    cancel: pair(`hangar cancel ${id}`, curlFor('POST', `/jobs/${id}/cancel`)),
    retry: pair(`hangar retry ${id}`, curlFor('POST', `/jobs/${id}/retry`)),
  };
}
