import { type Answer, bearer, type Json, list, object, type Schema, sse, text, textsIn, type Wire } from './wire.ts';

/** https://docs.anthropic.com/en/api/messages and /messages-streaming */
export const anthropic: Wire = {
  read(path, headers, body) {
    if (path !== '/v1/messages' && path !== '/v1/messages/count_tokens') return null;
    const messages = list(body.messages).map(object);
    const blocks = messages.flatMap(({ content }) => list(content).map(object));
    return {
      model: text(body.model),
      key: headers['x-api-key'] ?? bearer(headers.authorization),
      text: textsIn(messages.filter(({ role }) => role === 'user')),
      tools: list(body.tools)
        .map(object)
        .map((tool) => ({ name: text(tool.name), schema: object(tool.input_schema) as Schema })),
      results: blocks.filter(({ type }) => type === 'tool_result').map(({ content }) => textsIn(content)),
      stream: body.stream === true,
      answerSchema: object(object(object(body.output_config).format)).schema ?? null,
    };
  },
  answer(ask, answer) {
    const message = {
      id: `msg_${ask.results.length}`,
      type: 'message',
      role: 'assistant',
      model: ask.model,
      stop_sequence: null,
    };
    const content = contentOf(answer, ask.results.length);
    const usage = {
      input_tokens: answer.tokens.input - answer.tokens.cached,
      cache_read_input_tokens: answer.tokens.cached,
      cache_creation_input_tokens: 0,
    };
    const stop_reason = answer.call ? 'tool_use' : 'end_turn';
    const output_tokens = answer.tokens.output;
    if (!ask.stream)
      return {
        contentType: 'application/json',
        body: JSON.stringify({ ...message, content, stop_reason, usage: { ...usage, output_tokens } }),
      };
    const events: Json[] = [
      {
        type: 'message_start',
        message: { ...message, content: [], stop_reason: null, usage: { ...usage, output_tokens: 1 } },
      },
      ...content.flatMap((block, index): Json[] => [
        {
          type: 'content_block_start',
          index,
          content_block: block.type === 'text' ? { type: 'text', text: '' } : { ...block, input: {} },
        },
        {
          type: 'content_block_delta',
          index,
          delta:
            block.type === 'text'
              ? { type: 'text_delta', text: block.text }
              : { type: 'input_json_delta', partial_json: JSON.stringify(block.input) },
        },
        { type: 'content_block_stop', index },
      ]),
      { type: 'message_delta', delta: { stop_reason, stop_sequence: null }, usage: { output_tokens } },
      { type: 'message_stop' },
    ];
    return { contentType: 'text/event-stream', body: sse(events, true) };
  },
  error: (status, message) => ({
    type: 'error',
    error: { type: status === 401 ? 'authentication_error' : 'invalid_request_error', message },
  }),
};

function contentOf({ text: words, call }: Answer, turn: number): Json[] {
  return [
    ...(words === '' ? [] : [{ type: 'text', text: words }]),
    ...(call ? [{ type: 'tool_use', id: `toolu_${turn}`, name: call.tool, input: call.input }] : []),
  ];
}
