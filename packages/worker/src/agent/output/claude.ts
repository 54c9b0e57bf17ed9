import type { Usage } from '@hangar/contract';
import { count, type EventFormat, type Heard, type Json, list, number, object, text } from './event.ts';
import { failure, spent, thought, toolStep } from './words.ts';

/** `claude -p --output-format stream-json --verbose`, https://code.claude.com/docs/en/headless */
export function claudeEvents(tree: string): EventFormat {
  let model: string | null = null;
  let lastMessage = '';
  let sum = { input: 0, cached: 0, output: 0, turns: 0 };

  function system(event: Json): Heard | null {
    if (event.subtype === 'init') {
      model = text(event.model) || null;
      return { lines: [`Claude Code ${text(event.claude_code_version)}, model ${text(event.model)}`] };
    }
    if (event.subtype !== 'api_retry') return null;
    const status = number(event.error_status);
    const lines = [
      `The model answered ${status ?? 'nothing'} (${text(event.error)}): try ${count(event.attempt)} of ${count(event.max_retries)} again`,
    ];
    return status === 401 ? { lines, refused: true } : { lines };
  }

  function assistant(event: Json): Heard {
    const message = object(event.message);
    const lines: string[] = [];
    for (const block of list(message.content).map(object)) {
      if (block.type === 'text') lines.push(...text(block.text).split('\n'));
      else if (block.type === 'thinking') lines.push(...thought(text(block.thinking)));
      else if (block.type === 'tool_use' || block.type === 'server_tool_use')
        lines.push(toolStep(text(block.name), object(block.input), tree));
    }
    const shown = event.parent_tool_use_id ? lines.map((line) => `  ${line}`) : lines;
    // Each block of an answer comes as an event of its own, all with the same usage.
    const id = text(message.id);
    const tokens = tokensOf(object(message.usage));
    if (id === lastMessage || tokens.input + tokens.output === 0) return { lines: shown };
    lastMessage = id;
    sum = {
      input: sum.input + tokens.input,
      cached: sum.cached + tokens.cached,
      output: sum.output + tokens.output,
      turns: sum.turns + 1,
    };
    return { lines: shown, usage: usageOf(sum, null) };
  }

  function results(event: Json): Heard {
    const lines = list(object(event.message).content)
      .map(object)
      .filter((block) => block.type === 'tool_result' && block.is_error === true)
      .flatMap(({ content }) =>
        failure(
          text(content) ||
            list(content)
              .map((part) => text(object(part).text))
              .join('\n'),
        ),
      );
    return { lines: event.parent_tool_use_id ? lines.map((line) => `  ${line}`) : lines };
  }

  function result(event: Json): Heard {
    const tokens = tokensOf(object(event.usage));
    const usage = usageOf({ ...tokens, turns: count(event.num_turns) }, number(event.total_cost_usd));
    const why = text(event.result) || list(event.errors).map(text).join('\n') || text(event.subtype);
    const lines = [...(event.is_error === true ? failure(why) : []), spent(usage, number(event.duration_ms))];
    const status = number(event.api_error_status);
    return status === 401 ? { lines, usage, refused: true } : { lines, usage };
  }

  const usageOf = (tokens: typeof sum, costUsd: number | null): Usage => ({
    inputTokens: tokens.input,
    cachedInputTokens: tokens.cached,
    outputTokens: tokens.output,
    costUsd,
    model: model === null ? null : model.slice(0, 200),
    turns: tokens.turns,
  });

  return {
    read(event) {
      if (event.type === 'system') return system(event);
      if (event.type === 'assistant') return assistant(event);
      if (event.type === 'user') return results(event);
      return event.type === 'result' ? result(event) : null;
    },
    end: () => [],
  };
}

function tokensOf(usage: Json): { input: number; cached: number; output: number } {
  const cached = count(usage.cache_read_input_tokens);
  const input = count(usage.input_tokens) + cached + count(usage.cache_creation_input_tokens);
  return { input, cached, output: count(usage.output_tokens) };
}
