/** The schema of an operation's input, for the form that fills it. */
export function inputSchema<S>(operation: { '~orpc': { inputSchema?: S | undefined } }): S {
  const schema = operation['~orpc'].inputSchema;
  if (schema === undefined) throw new Error('this operation takes no input');
  return schema;
}
