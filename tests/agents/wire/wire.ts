/** What an agent asked, whatever wire format it came in. */
export interface Ask {
  readonly model: string;
  /** The API key as it was sent; null when there was none. */
  readonly key: string | null;
  /** Everything in the conversation that the person or the agent itself wrote. */
  readonly text: string;
  readonly tools: readonly Tool[];
  /** Results of tool calls so far, in order. */
  readonly results: readonly string[];
  readonly stream: boolean;
  /** A schema the answer has to follow, for questions the agent asks beside the conversation. */
  readonly answerSchema: unknown;
}

export interface Tool {
  readonly name: string;
  /** JSON schema of its input; null for a tool that takes plain text. */
  readonly schema: Schema | null;
}

export interface Schema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

export interface Call {
  readonly tool: string;
  /** An object for a tool with a schema, text for one without. */
  readonly input: Readonly<Record<string, unknown>> | string;
}

export interface Answer {
  readonly text: string;
  readonly call: Call | null;
  readonly tokens: { readonly input: number; readonly cached: number; readonly output: number };
}

/** One wire format: reads a request, writes an answer. */
export interface Wire {
  /** Null when it does not have this route. */
  read(path: string, headers: Readonly<Record<string, string | undefined>>, body: Json): Ask | null;
  answer(ask: Ask, answer: Answer): { readonly contentType: string; readonly body: string };
  error(status: number, message: string): Json;
}

export type Json = { readonly [name: string]: unknown };

export const object = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
export const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
export const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** All strings inside, one a line. */
export function textsIn(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return '';
  return Object.values(value)
    .map(textsIn)
    .filter((part) => part !== '')
    .join('\n');
}

export const bearer = (header: string | undefined): string | null => /^Bearer (.+)$/.exec(header ?? '')?.[1] ?? null;

/** Server-sent events; each with its type as the event's name when `named`. */
export const sse = (events: readonly Json[], named: boolean): string =>
  events.map((event) => `${named ? `event: ${text(event.type)}\n` : ''}data: ${JSON.stringify(event)}\n\n`).join('');

/** The smallest value that a schema allows. */
export function sample(schema: unknown): unknown {
  const { type, properties, required, enum: allowed } = object(schema);
  if (Array.isArray(allowed)) return allowed[0];
  const kind = text(type).toLowerCase();
  if (kind === 'object')
    return Object.fromEntries(list(required).map((name) => [name, sample(object(properties)[text(name)])]));
  if (kind === 'integer' || kind === 'number') return 10;
  if (kind === 'boolean') return false;
  return kind === 'array' ? [] : 'a word';
}
