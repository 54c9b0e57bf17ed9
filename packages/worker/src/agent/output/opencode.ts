import type { Usage } from '@hangar/contract';
import { count, type EventFormat, type Heard, type Json, number, object, text } from './event.ts';
import { failure, meansRefused, spent, thought, toolStep } from './words.ts';

/** `opencode run --format json`, https://opencode.ai/docs/cli/#run */
export function opencodeEvents(tree: string): EventFormat {
  let usage: Usage | null = null;
  let first: number | null = null;
  let last: number | null = null;

  function tool(part: Json): Heard {
    const state = object(part.state);
    const exit = number(object(state.metadata).exit);
    const failed =
      state.status === 'error'
        ? failure(text(state.error))
        : exit !== null && exit !== 0
          ? failure(`exit code ${exit}\n${text(state.output)}`)
          : [];
    return { lines: [toolStep(text(part.tool), object(state.input), tree), ...failed] };
  }

  function finished(part: Json): Heard {
    const tokens = object(part.tokens);
    const cache = object(tokens.cache);
    const read = count(cache.read);
    usage = {
      inputTokens: (usage?.inputTokens ?? 0) + count(tokens.input) + read + count(cache.write),
      cachedInputTokens: (usage?.cachedInputTokens ?? 0) + read,
      outputTokens: (usage?.outputTokens ?? 0) + count(tokens.output) + count(tokens.reasoning),
      costUsd: (usage?.costUsd ?? 0) + (number(part.cost) ?? 0),
      model: null,
      turns: (usage?.turns ?? 0) + 1,
    };
    return { lines: [], usage };
  }

  function wentWrong(error: Json): Heard {
    const data = object(error.data);
    const words = text(data.message) || text(error.message) || text(error.name);
    const status = number(data.statusCode);
    const lines = failure(status === null ? words : `${status}: ${words}`);
    return status === 401 || meansRefused(words) ? { lines, refused: true } : { lines };
  }

  return {
    read(event) {
      const at = number(event.timestamp);
      if (at !== null) {
        first ??= at;
        last = at;
      }
      const part = object(event.part);
      switch (event.type) {
        case 'step_start':
          return { lines: [] };
        case 'text':
          return { lines: text(part.text).split('\n') };
        case 'reasoning':
          return { lines: thought(text(part.text)) };
        case 'tool_use':
          return tool(part);
        case 'step_finish':
          return finished(part);
        case 'error':
          return wentWrong(object(event.error));
        default:
          return null;
      }
    },
    end: () => (usage === null ? [] : [spent(usage, first === null || last === null ? null : last - first)]),
  };
}
