import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import classes from './data-table.module.css';

export interface Column<T> {
  id: string;
  header: string;
  cell: (row: T) => ReactNode;
  width?: string;
  align?: 'left' | 'right';
  /** The rows can be sorted by it: a click on the header asks for it. */
  sortable?: boolean;
  /** Left out on windows narrower than 860 (`md`) or 1100 px (`lg`). */
  from?: 'md' | 'lg';
  /**
   * On a phone a row is a card: `title` is its first line, `line` (default) flows beneath, `label` too with the header before it,
   * `hide` is left out.
   */
  phone?: 'title' | 'line' | 'label' | 'hide';
}

interface Choice<T> {
  chosen: ReadonlySet<string>;
  onChosen: (keys: ReadonlySet<string>) => void;
  /** What a row is called, for the screen reader. */
  name: (row: T) => string;
}

export interface Sort {
  /** Of the column the rows are sorted by; null: by none that is shown. */
  readonly column: string | null;
  readonly order: 'ascending' | 'descending';
  /** The header of a column by which they can be sorted. */
  readonly header: (column: { id: string; header: string }) => ReactNode;
}

export interface DataTableProps<T> {
  /** What the rows are, for the screen reader. */
  label: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  rowKey: (row: T) => string;
  /** The path a row opens; `j` and `k` move between such rows. The first column becomes the link. */
  href?: (row: T) => string;
  /** What stands in the address behind that path. */
  search?: (row: T) => Readonly<Record<string, string>>;
  /** Rows can be ticked, at their beginning. */
  choice?: Choice<T>;
  /** Buttons at the end of a row. */
  actions?: (row: T) => ReactNode;
  /** For columns that are sortable. The rows come sorted. */
  sort?: Sort;
}

/** Dense rows of 36 px; on a phone each row is a card. */
export function DataTable<T>(props: DataTableProps<T>) {
  const { label, columns, rows, rowKey, href, search, choice, actions, sort } = props;
  return (
    <table className={classes.table} aria-label={label}>
      <thead>
        <tr>
          {choice ? (
            <th scope="col" className={classes.tick}>
              <span className="hg-sr">Ticked</span>
            </th>
          ) : null}
          {columns.map((column) => (
            <th
              key={column.id}
              scope="col"
              className={cellClass(column)}
              style={{ width: column.width }}
              aria-sort={sort?.column === column.id ? sort.order : undefined}
            >
              {sort && column.sortable ? sort.header(column) : column.header}
            </th>
          ))}
          {actions ? (
            <th scope="col">
              <span className="hg-sr">Actions</span>
            </th>
          ) : null}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={rowKey(row)} className={classes.row}>
            {choice ? <TickCell row={row} rowKey={rowKey(row)} {...choice} /> : null}
            {columns.map((column, index) => (
              <td
                key={column.id}
                className={cellClass(column)}
                data-label={column.header.toLowerCase()}
                data-phone={column.phone ?? (index === 0 ? 'title' : 'line')}
              >
                {index === 0 && href ? (
                  <Link
                    to={href(row)}
                    {...(search ? { search: search(row) } : {})}
                    className={classes.link}
                    data-row-link
                  >
                    {column.cell(row)}
                  </Link>
                ) : (
                  column.cell(row)
                )}
              </td>
            ))}
            {actions ? (
              <td data-phone="actions">
                <div className={classes.actions}>{actions(row)}</div>
              </td>
            ) : null}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function TickCell<T>({ row, rowKey, chosen, onChosen, name }: Choice<T> & { row: T; rowKey: string }) {
  const toggle = () => {
    const next = new Set(chosen);
    if (!next.delete(rowKey)) next.add(rowKey);
    onChosen(next);
  };
  return (
    <td className={classes.tick} data-phone="tick">
      <label>
        <span className="hg-sr">{name(row)}</span>
        <input type="checkbox" checked={chosen.has(rowKey)} onChange={toggle} />
      </label>
    </td>
  );
}

function cellClass<T>({ align, from }: Column<T>): string | undefined {
  const names = [align === 'right' ? classes.right : undefined, from === undefined ? undefined : classes[from]];
  return names.filter(Boolean).join(' ') || undefined;
}
