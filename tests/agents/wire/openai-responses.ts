import { bearer, type Json, list, object, type Schema, sse, type Tool, text, textsIn, type Wire } from './wire.ts';

/** https://platform.openai.com/docs/api-reference/responses and /responses-streaming */
export const openaiResponses: Wire = {
  read(path, headers, body) {
    if (path !== '/v1/responses') return null;
    const input = list(body.input).map(object);
    return {
      model: text(body.model),
      key: bearer(headers.authorization),
      text: textsIn(input.filter(({ role }) => role === 'user')),
      // Tools may also come as an item of the conversation, gathered in namespaces.
      tools: toolsIn([...list(body.tools), ...input.flatMap(({ tools }) => list(tools))]),
      results: input.filter(({ type }) => /_call_output$/.test(text(type))).map(({ output }) => textsIn(output)),
      stream: body.stream === true,
      answerSchema: object(object(body.text).format).schema ?? null,
    };
  },
  answer(ask, { text: words, call, tokens }) {
    const turn = ask.results.length;
    const items: Json[] = [];
    if (words !== '')
      items.push({
        type: 'message',
        id: `msg_${turn}`,
        role: 'assistant',
        status: 'completed',
        content: [{ type: 'output_text', text: words, annotations: [] }],
      });
    if (call)
      items.push(
        typeof call.input === 'string'
          ? {
              type: 'custom_tool_call',
              id: `ctc_${turn}`,
              status: 'completed',
              call_id: `call_${turn}`,
              name: call.tool,
              input: call.input,
            }
          : {
              type: 'function_call',
              id: `fc_${turn}`,
              status: 'completed',
              call_id: `call_${turn}`,
              name: call.tool,
              arguments: JSON.stringify(call.input),
            },
      );
    const response = {
      id: `resp_${turn}`,
      object: 'response',
      created_at: 1_700_000_000,
      model: ask.model,
      status: 'completed',
      output: items,
      usage: {
        input_tokens: tokens.input,
        input_tokens_details: { cached_tokens: tokens.cached },
        output_tokens: tokens.output,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: tokens.input + tokens.output,
      },
    };
    if (!ask.stream) return { contentType: 'application/json', body: JSON.stringify(response) };
    const events: Json[] = [
      { type: 'response.created', response: { ...response, status: 'in_progress', output: [], usage: null } },
      ...items.flatMap((item, output_index) => streamed(item, output_index)),
      { type: 'response.completed', response },
    ];
    return {
      contentType: 'text/event-stream',
      body: sse(
        events.map((event, sequence_number) => ({ ...event, sequence_number })),
        true,
      ),
    };
  },
  error: (status, message) => ({
    error: {
      message,
      type: 'invalid_request_error',
      param: null,
      code: status === 401 ? 'invalid_api_key' : 'bad_request',
    },
  }),
};

function streamed(item: Json, output_index: number): Json[] {
  const added = { type: 'response.output_item.added', output_index };
  const done = { type: 'response.output_item.done', output_index, item };
  const at = { item_id: item.id, output_index };
  if (item.type === 'message') {
    const [part] = list(item.content);
    const delta = text(object(part).text);
    const inside = { ...at, content_index: 0 };
    return [
      { ...added, item: { ...item, status: 'in_progress', content: [] } },
      {
        type: 'response.content_part.added',
        ...inside,
        part: { type: 'output_text', text: '', annotations: [] },
      },
      { type: 'response.output_text.delta', ...inside, delta },
      { type: 'response.output_text.done', ...inside, text: delta },
      { type: 'response.content_part.done', ...inside, part },
      done,
    ];
  }
  const field = item.type === 'custom_tool_call' ? 'input' : 'arguments';
  const name = item.type === 'custom_tool_call' ? 'custom_tool_call_input' : 'function_call_arguments';
  return [
    { ...added, item: { ...item, status: 'in_progress', [field]: '' } },
    { type: `response.${name}.delta`, ...at, delta: item[field] },
    { type: `response.${name}.done`, ...at, [field]: item[field] },
    done,
  ];
}

function toolsIn(tools: readonly unknown[]): Tool[] {
  return tools.map(object).flatMap((tool) => {
    if (tool.type === 'namespace') return toolsIn(list(tool.tools));
    if (tool.type === 'custom') return [{ name: text(tool.name), schema: null }];
    return tool.type === 'function' ? [{ name: text(tool.name), schema: object(tool.parameters) as Schema }] : [];
  });
}
