import type { Usage } from '@hangar/contract';
import { count, type EventFormat, type Heard, type Json, list, number, object, text } from './event.ts';
import { failure, meansRefused, shortened, spent, thought, toolStep } from './words.ts';

const CHANGES: Readonly<Record<string, string>> = { add: 'Add', delete: 'Delete', update: 'Edit' };

/** `codex exec --json`, https://developers.openai.com/codex/noninteractive */
export function codexEvents(tree: string): EventFormat {
  function started(item: Json): Heard | null {
    // The rest is told when it is done.
    if (item.type !== 'command_execution') return KNOWN.has(text(item.type)) ? { lines: [] } : null;
    return { lines: [`▸ Shell: ${shortened(commandOf(text(item.command)), tree)}`] };
  }

  function completed(item: Json): Heard | null {
    switch (item.type) {
      case 'agent_message':
        return { lines: text(item.text).split('\n') };
      case 'reasoning':
        return { lines: thought(text(item.text)) };
      case 'command_execution': {
        const exit = number(item.exit_code);
        if (item.status !== 'failed' && (exit === 0 || exit === null)) return { lines: [] };
        return { lines: failure(`${exit === null ? '' : `exit code ${exit}\n`}${text(item.aggregated_output)}`) };
      }
      case 'file_change':
        return {
          lines: [
            ...list(item.changes)
              .map(object)
              .map(({ kind, path }) => `▸ ${CHANGES[text(kind)] ?? 'Change'} ${shortened(text(path), tree)}`),
            ...(item.status === 'failed' ? failure('the change could not be made') : []),
          ],
        };
      case 'mcp_tool_call':
        return {
          lines: [
            toolStep(`${text(item.server)}.${text(item.tool)}`, object(item.arguments), tree),
            ...(item.status === 'failed' ? failure(text(object(item.error).message)) : []),
          ],
        };
      case 'web_search':
        return { lines: [`▸ Search: ${shortened(text(item.query), tree)}`] };
      case 'todo_list':
        return {
          lines: list(item.items)
            .map(object)
            .map((entry) => `  ${entry.completed === true ? '✓' : '○'} ${shortened(text(entry.text), tree)}`),
        };
      case 'error':
        return told(text(item.message));
      default:
        return null;
    }
  }

  return {
    read(event) {
      const item = object(event.item);
      switch (event.type) {
        case 'thread.started':
        case 'turn.started':
        case 'item.updated':
          return { lines: [] };
        case 'item.started':
          return started(item);
        case 'item.completed':
          return completed(item);
        case 'error':
          return told(text(event.message));
        case 'turn.failed':
          return told(text(object(event.error).message));
        case 'turn.completed': {
          const usage = usageOf(object(event.usage));
          return { lines: [spent(usage, null)], usage };
        }
        default:
          return null;
      }
    },
    end: () => [],
  };
}

const KNOWN = new Set([
  'agent_message',
  'reasoning',
  'file_change',
  'mcp_tool_call',
  'web_search',
  'todo_list',
  'error',
]);

const told = (words: string): Heard =>
  meansRefused(words) ? { lines: failure(words), refused: true } : { lines: failure(words) };

/** Without the shell it is wrapped in. */
const commandOf = (command: string): string => /^\S*sh -l?c '([\s\S]*)'$/.exec(command)?.[1] ?? command;

/** It names neither model nor price. */
const usageOf = (usage: Json): Usage => ({
  inputTokens: count(usage.input_tokens),
  cachedInputTokens: count(usage.cached_input_tokens),
  outputTokens: count(usage.output_tokens),
  costUsd: null,
  model: null,
  turns: null,
});
