import type { Job } from '@hangar/contract';

/** How long the agent has worked; null before it began. */
export function agentMs({ phases }: Pick<Job, 'phases'>, now: number): number | null {
  const running = phases.find(({ name }) => name === 'running');
  if (running === undefined) return null;
  const end = running.endedAt === null ? now : Date.parse(running.endedAt);
  return Math.max(0, end - Date.parse(running.startedAt));
}

/** `48.2 k / 2.9 k`; null when the agent does not say. */
export const tokenWords = ({ usage }: Pick<Job, 'usage'>): string | null =>
  usage === null ? null : `${short(usage.inputTokens)} / ${short(usage.outputTokens)}`;

function short(tokens: number): string {
  if (tokens < 1000) return String(tokens);
  return tokens < 999_500 ? `${(tokens / 1000).toFixed(tokens < 99_950 ? 1 : 0)} k` : `${(tokens / 1e6).toFixed(1)} M`;
}

/** `$0.21`; what costs less than a cent keeps what it has. Null when the agent does not say. */
export function costWords({ usage }: Pick<Job, 'usage'>): string | null {
  const cost = usage?.costUsd ?? null;
  return cost === null ? null : `$${cost.toFixed(cost > 0 && cost < 0.01 ? 4 : 2)}`;
}
