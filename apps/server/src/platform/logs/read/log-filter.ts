import { stripVTControlCharacters } from 'node:util';
import { HangarError, type LogLine, type LogQuery } from '@hangar/contract';

export interface LogFilter {
  test(line: LogLine): boolean;
  /** False: no line of this chunk passes, and it need not be parsed. */
  mayPass(chunk: { readonly data: string }): boolean;
}

const AGE = /^(\d{1,9})\s*(s|m|h|d)$/;
const UNIT_MS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Null: everything passes. Colours do not hinder a search. */
export function filterOf(query: Pick<LogQuery, 'grep' | 'stream'>, since?: Date): LogFilter | null {
  const { grep, stream } = query;
  if (!grep && stream === undefined && since === undefined) return null;
  const from = since?.toISOString();
  const pattern = grep ? new RegExp(grep.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'), 'iu') : null;
  // What JSON writes in another way than it reads cannot be looked for in the JSON.
  const plain = pattern !== null && !/[\0-\x1f"\\\ud800-\udfff\x7f-\x9f]/.test(grep ?? '');
  return {
    test(line) {
      if (stream !== undefined && line.stream !== stream) return false;
      if (from !== undefined && line.at < from) return false;
      if (!pattern) return true;
      return pattern.test(line.text.includes('\x1b') ? stripVTControlCharacters(line.text) : line.text);
    },
    mayPass({ data }) {
      return !plain || pattern.test(data) || data.includes('\\u001b');
    },
  };
}

/** A time (RFC 3339) or an age like `10m`. @throws HangarError validation_failed */
export function sinceOf(query: Pick<LogQuery, 'since'>): Date | undefined {
  const { since } = query;
  if (since === undefined) return undefined;
  const age = AGE.exec(since);
  const ms = age ? Date.now() - Number(age[1]) * (UNIT_MS[age[2] ?? ''] ?? 0) : Date.parse(since);
  const valid = (age !== null || /^\d{4}-\d{2}-\d{2}/.test(since)) && Math.abs(ms) < 8e14;
  if (Number.isNaN(ms) || !valid) {
    const message = 'A time like 2026-01-31T12:00:00Z, or an age like 30s, 10m, 2h, 1d';
    throw new HangarError('validation_failed', {
      message: `since: ${message}`,
      details: { issues: [{ field: 'since', message }] },
    });
  }
  return new Date(Math.max(ms, 0));
}
