import type { Usage } from '@hangar/contract';
import { count, type EventFormat, type Heard, type Json, number, object, text } from './event.ts';
import { failure, meansRefused, spent, toolStep } from './words.ts';

/** A paragraph without a line end is shown in pieces of this many characters. */
const MAX_PARAGRAPH = 16 * 1024;

/** `gemini --output-format stream-json`, https://geminicli.com/docs/cli/headless */
export function geminiEvents(tree: string): EventFormat {
  /** Answers come in pieces; a line is said once it is whole. */
  let rest = '';

  function piece(words: string): Heard {
    const lines = (rest + words).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_PARAGRAPH) {
      lines.push(rest);
      rest = '';
    }
    return { lines };
  }

  function after(lines: readonly string[]): string[] {
    const whole = rest === '' ? [...lines] : [rest, ...lines];
    rest = '';
    return whole;
  }

  function read(event: Json): Heard | null {
    switch (event.type) {
      case 'init':
        return { lines: [`Gemini CLI, model ${text(event.model)}`] };
      case 'message':
        // What the person said is the spec.
        if (event.role === 'user') return { lines: [] };
        return event.delta === true ? piece(text(event.content)) : { lines: after(text(event.content).split('\n')) };
      case 'tool_use':
        return { lines: after([toolStep(text(event.tool_name), object(event.parameters), tree)]) };
      case 'tool_result': {
        const words = text(object(event.error).message) || text(event.output);
        return { lines: after(event.status === 'error' ? failure(words) : []) };
      }
      case 'error':
        return told(text(event.message));
      case 'result': {
        const stats = object(event.stats);
        const usage = usageOf(stats);
        const heard = event.status === 'error' ? told(text(object(event.error).message)) : { lines: after([]) };
        return { ...heard, lines: [...heard.lines, spent(usage, number(stats.duration_ms))], usage };
      }
      default:
        return null;
    }
  }

  const told = (words: string): Heard => {
    const lines = after(failure(words));
    return meansRefused(words) ? { lines, refused: true } : { lines };
  };

  return { read, end: () => after([]) };
}

/** It names no price. The model is the one with the most tokens: it routes between several. */
function usageOf(stats: Json): Usage {
  const [model] = Object.entries(object(stats.models))
    .map(([name, of]) => ({ name, tokens: count(object(of).total_tokens) }))
    .sort((a, b) => b.tokens - a.tokens);
  return {
    inputTokens: count(stats.input_tokens),
    cachedInputTokens: count(stats.cached),
    outputTokens: count(stats.output_tokens),
    costUsd: null,
    model: model === undefined ? null : model.name.slice(0, 200),
    turns: null,
  };
}
