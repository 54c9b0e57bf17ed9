import { list, object, type Schema, sse, text, textsIn, type Wire } from './wire.ts';

/** https://ai.google.dev/api/generate-content */
export const google: Wire = {
  read(path, headers, body) {
    const [, model, verb] = /^\/v1beta\/models\/([^/:]+):(generateContent|streamGenerateContent)$/.exec(path) ?? [];
    if (model === undefined) return null;
    const contents = list(body.contents).map(object);
    const parts = contents.flatMap((content) => list(content.parts).map(object));
    return {
      model,
      key: headers['x-goog-api-key'] ?? null,
      text: textsIn(contents.filter(({ role }) => role === 'user')),
      tools: list(body.tools)
        .flatMap((tool) => list(object(tool).functionDeclarations))
        .map(object)
        .map((tool) => ({
          name: text(tool.name),
          schema: object(tool.parametersJsonSchema ?? tool.parameters) as Schema,
        })),
      results: parts
        .filter((part) => part.functionResponse !== undefined)
        .map((part) => textsIn(part.functionResponse)),
      stream: verb === 'streamGenerateContent',
      answerSchema: object(body.generationConfig).responseJsonSchema ?? null,
    };
  },
  answer(ask, { text: words, call, tokens }) {
    const parts = [
      ...(words === '' ? [] : [{ text: words }]),
      ...(call ? [{ functionCall: { name: call.tool, args: call.input } }] : []),
    ];
    const response = {
      candidates: [{ index: 0, content: { role: 'model', parts }, finishReason: 'STOP' }],
      usageMetadata: {
        promptTokenCount: tokens.input,
        cachedContentTokenCount: tokens.cached,
        candidatesTokenCount: tokens.output,
        totalTokenCount: tokens.input + tokens.output,
      },
      modelVersion: ask.model,
      responseId: `response_${ask.results.length}`,
    };
    return ask.stream
      ? { contentType: 'text/event-stream', body: sse([response], false) }
      : { contentType: 'application/json', body: JSON.stringify(response) };
  },
  error: (status, message) => ({
    error: { code: status, message, status: status === 401 ? 'UNAUTHENTICATED' : 'INVALID_ARGUMENT' },
  }),
};
