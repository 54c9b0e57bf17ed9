import type { SealedColumn, SealedElsewhere } from './sealed-column.ts';
import type { Secrets } from './secrets.ts';

/** One connection to the database. */
export type Query = (
  text: string,
  values: readonly unknown[],
) => Promise<{ readonly rows: readonly Record<string, unknown>[]; readonly rowCount: number | null }>;

export interface Resealed {
  resealed: number;
  /** What no key opens: changed, or sealed with a key that is gone. It stays as it is. */
  readonly unreadable: string[];
}

const PAGE = 200;

/** Values that are not sealed with the active key. */
const oldOf = ({ column, onlyJson, id }: SealedColumn): string =>
  onlyJson === undefined
    ? `${column} is not null and split_part(${column}, '.', 2) <> $1`
    : `${id} = '${onlyJson}' and split_part(${column} #>> '{}', '.', 2) <> $1`;

/** How many values are not sealed with the active key. */
export async function countOld(query: Query, columns: readonly SealedColumn[], keyId: string): Promise<number> {
  let count = 0;
  for (const column of columns) {
    const { rows } = await query(`select count(*)::int as n from ${column.table} where ${oldOf(column)}`, [keyId]);
    count += Number(rows[0]?.n);
  }
  return count;
}

/**
 * Seals with the active key what is not. A value that somebody writes meanwhile is left to them. May be cut off anywhere and begun
 * again: what is sealed with either key can be read all the time.
 */
export async function reseal(
  query: Query,
  columns: readonly SealedColumn[],
  o: { secrets: Secrets; signal: AbortSignal; say: (words: string) => void },
): Promise<Resealed> {
  const done: Resealed = { resealed: 0, unreadable: [] };
  for (const column of columns) {
    const { table, id, owner, onlyJson, bindingOf } = column;
    const text = onlyJson === undefined ? column.column : `${column.column} #>> '{}'`;
    const value = onlyJson === undefined ? 'fresh.value' : 'to_jsonb(fresh.value)';
    for (let after = ''; ; ) {
      o.signal.throwIfAborted();
      const { rows } = await query(
        `select ${id} as id, ${owner ?? `'server'`} as owner, ${text} as sealed from ${table}
         where ${oldOf(column)} and ${id} > $2 order by ${id} limit ${PAGE}`,
        [o.secrets.activeKeyId(), after],
      );
      const changes = rows.flatMap((row) => {
        const [rowId, sealed] = [String(row.id), String(row.sealed)];
        try {
          const fresh = o.secrets.reseal(sealed, bindingOf({ id: rowId, owner: String(row.owner) }));
          return fresh === null ? [] : [{ id: rowId, sealed, fresh }];
        } catch {
          done.unreadable.push(`${table} ${rowId}`);
          return [];
        }
      });
      const { rowCount } = await query(
        `update ${table} set ${column.column} = ${value} from unnest($1::text[], $2::text[], $3::text[]) fresh(row_id, before, value)
         where ${table}.${id} = fresh.row_id and ${table}.${text} = fresh.before`,
        [changes.map((each) => each.id), changes.map((each) => each.sealed), changes.map((each) => each.fresh)],
      );
      done.resealed += rowCount ?? 0;
      if (rowCount) o.say(`Sealed ${done.resealed} values with the new key`);
      const last = rows.at(-1);
      if (!last || rows.length < PAGE) break;
      after = String(last.id);
    }
  }
  return done;
}

/** The same for what lies elsewhere. */
export async function resealElsewhere(
  elsewhere: readonly SealedElsewhere[],
  o: { secrets: Secrets; signal: AbortSignal },
): Promise<Resealed> {
  const done: Resealed = { resealed: 0, unreadable: [] };
  for (const { what, names, get, put, bindingOf } of elsewhere)
    for (const name of await names()) {
      o.signal.throwIfAborted();
      const sealed = await get(name);
      if (sealed === null) continue;
      let fresh: string | null;
      try {
        fresh = o.secrets.reseal(sealed, bindingOf(name));
      } catch {
        done.unreadable.push(`${what} ${name}`);
        continue;
      }
      if (fresh === null) continue;
      await put(name, fresh);
      done.resealed += 1;
    }
  return done;
}
