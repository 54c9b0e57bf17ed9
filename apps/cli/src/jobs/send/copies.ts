import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { agentPreset, Group, type Spec, shellBlocks } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';

/** The most jobs one call sends. */
export const MAX_COPIES = 20;

export interface CopiesWish {
  readonly agent?: string | undefined;
  /** Names in a list (`claude,codex`), or one command. */
  readonly agents?: readonly string[] | undefined;
  readonly times?: number | undefined;
  readonly group?: string | undefined;
  readonly idempotencyKey?: string | undefined;
}

/** What tells one job of a group from the next. */
export interface Copy {
  /** undefined: what the front matter says. */
  readonly agent: string | undefined;
  readonly idempotencyKey: string;
}

export interface Copies {
  readonly group: string | undefined;
  readonly copies: readonly Copy[];
  /** More than one job was asked for, even when it comes to one. */
  readonly isGroup: boolean;
}

/**
 * Which jobs a call means: each agent so many times. Everything that can be told without a server is told here, before the
 * first job is sent.
 * @throws HangarError usage, agent_unknown, spec_no_commands
 */
export function copiesOf(wish: CopiesWish, spec: Spec): Copies {
  const { times = 1, agents, agent } = wish;
  if (agents !== undefined && agent !== undefined)
    throw new HangarError('usage', {
      message: '--agent and --agents do not go together.',
      wayOut: `Name all of them: --agents ${[agent, ...agents].map(quoted).join(' --agents ')}`,
    });
  const named = agents === undefined ? [agent] : agentsOf(agents);
  const total = named.length * times;
  if (times < 1 || total > MAX_COPIES)
    throw new HangarError('usage', {
      message: times < 1 ? '--times begins at 1.' : `These are ${total} jobs; one call sends at most ${MAX_COPIES}.`,
      wayOut: 'Send fewer; a second call with the same --group adds to them.',
    });
  for (const one of named) mayRun(one, spec);
  if (wish.group !== undefined && !Group.safeParse(wish.group).success)
    throw new HangarError('usage', {
      message: `${JSON.stringify(wish.group)} cannot be the name of a group.`,
      wayOut: 'Use lower-case letters, digits, and . _ - inside; at most 63.',
    });
  const isGroup = agents !== undefined || wish.times !== undefined;
  const key = wish.idempotencyKey ?? randomUUID();
  const wanted = named.flatMap((one) => Array.from({ length: times }, () => one));
  return {
    isGroup,
    // With a key, the same call again has to ask for the same jobs, their group too.
    group: wish.group ?? (isGroup ? groupName(spec.title, wish.idempotencyKey) : undefined),
    copies: wanted.map((one, at) => ({ agent: one, idempotencyKey: isGroup ? `${key}.${at + 1}` : key })),
  };
}

/** A value is a list when each part of it is a word; else it is one command, commas and all. */
function agentsOf(values: readonly string[]): string[] {
  const named = values.flatMap((value) => {
    const parts = value.split(',').map((part) => part.trim());
    return parts.every((part) => /^[A-Za-z0-9_-]*$/.test(part)) ? parts.filter((part) => part !== '') : [value.trim()];
  });
  const wanted = [...new Set(named)];
  if (wanted.length === 0 || wanted.includes(''))
    throw new HangarError('usage', { message: '--agents names no agent.', wayOut: 'See: hangar agents' });
  return wanted;
}

function mayRun(agent: string | undefined, spec: Spec): void {
  const meant = agent ?? spec.settings.agent ?? 'shell';
  if (agentPreset(meant) === undefined && !/[\s/]/.test(meant))
    throw new HangarError('agent_unknown', { message: `There is no agent ${meant}. Nothing was sent.` });
  if (meant === 'shell' && shellBlocks(spec.body).length === 0)
    throw new HangarError('spec_no_commands', {
      message: 'The spec has no fenced sh block, so agent shell has nothing to run. Nothing was sent.',
    });
}

/** `add-search-7k2m`: the title and four letters that make it the group's own. */
function groupName(title: string, key: string | undefined): string {
  const words = title
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replaceAll(/^-+|-+$/g, '');
  return `${words === '' ? 'jobs' : words}-${lettersOf(key)}`;
}

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

function lettersOf(key: string | undefined): string {
  const bytes = key === undefined ? randomBytes(4) : createHash('sha256').update(key).digest().subarray(0, 4);
  return [...bytes].map((byte) => ALPHABET[byte % ALPHABET.length]).join('');
}

const quoted = (agent: string): string => (/^[\w,-]+$/.test(agent) ? agent : JSON.stringify(agent));
