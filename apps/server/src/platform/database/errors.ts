import { HangarError } from '@hangar/contract';
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

/** Whether PostgreSQL refused a value for what it is: a NUL, half a surrogate pair, a number or time out of range. */
export function isUnstorable(error: unknown): boolean {
  return ['22021', '22P05', '22P02', '22003', '22007', '22008'].includes(sqlState(error) ?? '');
}

/** Whether the connection was lost or refused, so the same query may work a moment later. */
export function isConnectionLoss(error: unknown): boolean {
  const code = sqlState(error) ?? '';
  if (isOutOfFiles(error) || code.startsWith('08') || code.startsWith('57P') || code === '53300') return true;
  if (['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN'].includes(code))
    return true;
  // pg gives these no code. The last four are what is asked of a connection after it was lost, or of a pool that ends.
  return causes(error).some((cause) =>
    /^(Connection terminated|timeout expired|timeout exceeded|Query read timeout|Client has encountered a connection error|Client was closed|Cannot use a pool)/.test(
      cause.message,
    ),
  );
}

/** Whether the database, or something else that wrote, had no space left. */
export function isDiskFull(error: unknown): boolean {
  return ['53100', 'ENOSPC', 'EDQUOT'].includes(sqlState(error) ?? '');
}

/** Whether the process, or the machine, has no file descriptor left for what was asked: a connection or a file. */
export function isOutOfFiles(error: unknown): boolean {
  return ['EMFILE', 'ENFILE'].includes(sqlState(error) ?? '');
}

function violates(error: unknown, code: string, constraint: string | undefined): boolean {
  const found = databaseError(error);
  return found?.code === code && (constraint === undefined || found.constraint === constraint);
}

function databaseError(error: unknown): { code: string; constraint: string | undefined } | null {
  for (const cause of causes(error)) {
    // Our own words about it have a code too, which says nothing of the database.
    if (cause instanceof HangarError || !('code' in cause) || typeof cause.code !== 'string') continue;
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
