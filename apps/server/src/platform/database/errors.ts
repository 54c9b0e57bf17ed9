/** The SQLSTATE of a failed query, whether thrown by pg or wrapped by drizzle; null for anything else. */
export function sqlState(error: unknown): string | null {
  return databaseError(error)?.code ?? null;
}

/** Whether a row was refused because one with the same key is there; with a name: by that constraint or index. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  return violates(error, '23505', constraint);
}

/** Whether a row was refused because what it points to is not there, or still pointed to. */
export function isForeignKeyViolation(error: unknown, constraint?: string): boolean {
  return violates(error, '23503', constraint);
}

/** Whether the connection was lost or refused, so the same query may work a moment later. */
export function isConnectionLoss(error: unknown): boolean {
  const code = sqlState(error) ?? '';
  if (code.startsWith('08') || code.startsWith('57P') || code === '53300') return true;
  if (['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN'].includes(code))
    return true;
  // pg gives these no code.
  return causes(error).some((cause) => /^(Connection terminated|timeout expired|timeout exceeded)/.test(cause.message));
}

function violates(error: unknown, code: string, constraint: string | undefined): boolean {
  const found = databaseError(error);
  return found?.code === code && (constraint === undefined || found.constraint === constraint);
}

function databaseError(error: unknown): { code: string; constraint: string | undefined } | null {
  for (const cause of causes(error)) {
    if (!('code' in cause) || typeof cause.code !== 'string') continue;
    const constraint = 'constraint' in cause && typeof cause.constraint === 'string' ? cause.constraint : undefined;
    return { code: cause.code, constraint };
  }
  return null;
}

function causes(error: unknown): Error[] {
  const found: Error[] = [];
  for (let at = error; at instanceof Error && found.length < 5; at = at.cause) found.push(at);
  return found;
}
