import { HangarError } from '@hangar/contract';

/** Where a list that is sorted by time and id goes on. */
export interface Place {
  readonly createdAt: Date;
  readonly id: string;
}

export const writeCursor = ({ createdAt, id }: Place): string =>
  Buffer.from(`${createdAt.toISOString()} ${id}`).toString('base64url');

/** @throws HangarError bad_request */
export function readCursor(cursor: string): Place {
  const [time, id] = Buffer.from(cursor, 'base64url').toString().split(' ');
  const createdAt = new Date(time ?? '');
  if (!id || Number.isNaN(createdAt.getTime()))
    throw new HangarError('bad_request', { message: 'The cursor is not one of ours.' });
  return { createdAt, id };
}
