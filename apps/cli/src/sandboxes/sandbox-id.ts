import { HangarError } from '@hangar/contract/errors';
import type { Cli } from '../cli.ts';

/** The argument that names a sandbox: an id, or the address of its page. */
export const sandboxArgument = {
  placeholder: 'ID',
  parse: parseSandboxId,
  proposeCompletions: proposeSandboxes,
} as const;

/** @throws HangarError usage */
export function parseSandboxId(text: string): string {
  const id = /^(?:https?:\/\/\S*\/)?(s_[0-9a-z]{6,40})(?:[/?#]\S*)?$/.exec(text)?.[1];
  if (id !== undefined) return id;
  throw new HangarError('usage', {
    message: `${JSON.stringify(text)} is not the id of a sandbox; ids look like s_7k2m9p4x.`,
    wayOut: 'See the ids: hangar sandbox list',
  });
}

/** Those that are not closed. */
export const OPEN_STATES = ['queued', 'starting', 'running', 'paused', 'closing'] as const;

/** Ids for shell completion; a server that is away, or that nobody signed in to, has none. */
export async function proposeSandboxes(this: Cli): Promise<readonly string[]> {
  try {
    const { client, identity } = await this.api(undefined);
    if (identity === 'none') return [];
    return (await client.sandboxes.list({ state: [...OPEN_STATES], limit: 30 })).items.map(({ id }) => id);
  } catch {
    return [];
  }
}
