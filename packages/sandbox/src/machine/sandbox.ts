import type { Machine } from '../port/machine.ts';
import { createExecutions } from './executions.ts';
import { createTalk } from './talk.ts';
import type { Executions } from './types.ts';

export function openSandbox(machine: Machine, o: { readonly folder?: string } = {}): { executions: Executions } {
  const talk = createTalk(machine, o.folder);
  return { executions: createExecutions(talk) };
}
