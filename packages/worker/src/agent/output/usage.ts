import type { Usage } from '@hangar/contract';

/**
 * What an agent says it used, as the schema Usage of the contract takes it; null when it does not fit. Checked by hand, because
 * zod would make the worker start in three times the time. The server applies the schema itself.
 */
export function usageOf(said: unknown): Usage | null {
  if (typeof said !== 'object' || said === null) return null;
  const { inputTokens, cachedInputTokens, outputTokens, costUsd, model, turns } = said as Record<string, unknown>;
  if (!isCount(inputTokens) || !isCount(outputTokens)) return null;
  if (cachedInputTokens !== null && !isCount(cachedInputTokens)) return null;
  if (turns !== null && !isCount(turns)) return null;
  if (costUsd !== null && !(typeof costUsd === 'number' && Number.isFinite(costUsd) && costUsd >= 0)) return null;
  if (model !== null && !(typeof model === 'string' && model.length <= 200)) return null;
  return { inputTokens, cachedInputTokens, outputTokens, costUsd, model, turns };
}

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
