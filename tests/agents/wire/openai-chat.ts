import { bearer, type Json, list, object, type Schema, text, textsIn, type Wire } from './wire.ts';

/** https://platform.openai.com/docs/api-reference/chat and /chat-streaming */
export const openaiChat: Wire = {
  read(path, headers, body) {
    if (path !== '/v1/chat/completions') return null;
    const messages = list(body.messages).map(object);
    return {
      model: text(body.model),
      key: bearer(headers.authorization),
      text: textsIn(messages.filter(({ role }) => role === 'user')),
      tools: list(body.tools)
        .map((tool) => object(object(tool).function))
        .map((tool) => ({ name: text(tool.name), schema: object(tool.parameters) as Schema })),
      results: messages.filter(({ role }) => role === 'tool').map(({ content }) => textsIn(content)),
      stream: body.stream === true,
      answerSchema: null,
    };
  },
  answer(ask, { text: words, call, tokens }) {
    const turn = ask.results.length;
    const usage = {
      prompt_tokens: tokens.input,
      completion_tokens: tokens.output,
      total_tokens: tokens.input + tokens.output,
      prompt_tokens_details: { cached_tokens: tokens.cached },
    };
    const tool_calls = call
      ? [
          {
            index: 0,
            id: `call_${turn}`,
            type: 'function',
            function: { name: call.tool, arguments: JSON.stringify(call.input) },
          },
        ]
      : undefined;
    const finish_reason = call ? 'tool_calls' : 'stop';
    const base = { id: `chatcmpl_${turn}`, created: 1_700_000_000, model: ask.model };
    const message = { role: 'assistant', content: words, ...(tool_calls ? { tool_calls } : {}) };
    if (!ask.stream)
      return {
        contentType: 'application/json',
        body: JSON.stringify({
          ...base,
          object: 'chat.completion',
          choices: [{ index: 0, message, finish_reason }],
          usage,
        }),
      };
    const chunk = (delta: Json, reason: string | null): Json => ({
      ...base,
      object: 'chat.completion.chunk',
      choices: [{ index: 0, delta, finish_reason: reason }],
    });
    const chunks: Json[] = [
      chunk(message, null),
      chunk({}, finish_reason),
      { ...base, object: 'chat.completion.chunk', choices: [], usage },
    ];
    return {
      contentType: 'text/event-stream',
      body: `${chunks.map((part) => `data: ${JSON.stringify(part)}\n\n`).join('')}data: [DONE]\n\n`,
    };
  },
  error: (status, message) => ({
    error: { message, type: 'invalid_request_error', code: status === 401 ? 'invalid_api_key' : 'bad_request' },
  }),
};
