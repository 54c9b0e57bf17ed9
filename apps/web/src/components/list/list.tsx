import { Button } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import type { Loadable } from '../../api/loadable.ts';
import { AsCommand, type AsCommandProps } from '../actions/as-command.tsx';
import { Page, PageHeader } from '../page.tsx';
import { EmptyState, type EmptyStateProps, Loaded, TableSkeleton } from '../state/states.tsx';
import { DataTable, type DataTableProps } from './data-table.tsx';
import classes from './list.module.css';

interface Answer<T> {
  readonly items: readonly T[];
}

export interface ListProps<T, X extends object> extends Omit<DataTableProps<T>, 'rows'> {
  of: Loadable<Answer<T> & X>;
  /** Lines while it loads. */
  lines?: number;
  /** There is nothing at all: what it is for. */
  empty: EmptyStateProps | ((answer: Answer<T> & X) => EmptyStateProps);
  /** Something is there, but the filter leaves it out. */
  noMatch?: { sentence: string; onClear: () => void } | false;
  above?: (answer: Answer<T> & X) => ReactNode;
  below?: (answer: Answer<T> & X) => ReactNode;
}

/** Rows in all states: loading, none, none that fits, error, refetching and live. `j`, `k` and Enter move through them. */
export function List<T, X extends object>(props: ListProps<T, X>) {
  const { of, lines = 3, empty, noMatch, above, below, ...table } = props;
  const skeleton = <TableSkeleton rows={lines} columns={Math.min(table.columns.length, 6)} />;
  return (
    <Loaded of={of} skeleton={skeleton}>
      {(answer) =>
        answer.items.length > 0 ? (
          <>
            {above?.(answer)}
            <DataTable {...table} rows={answer.items} />
            {below?.(answer)}
          </>
        ) : noMatch ? (
          <NoMatch {...noMatch} />
        ) : (
          <EmptyState {...(typeof empty === 'function' ? empty(answer) : empty)} />
        )
      }
    </Loaded>
  );
}

function NoMatch({ sentence, onClear }: { sentence: string; onClear: () => void }) {
  return (
    <EmptyState
      icon={<IconSearch size={26} />}
      sentence={sentence}
      action={
        <Button variant="default" onClick={onClear}>
          Clear the filter
        </Button>
      }
    />
  );
}

export interface ListPageProps<T, X extends object> extends ListProps<T, X> {
  /** The list as a command. */
  command: AsCommandProps;
  /** The one button. */
  action?: ReactNode;
  filters: ReactNode;
}

/** A noun's list page: its title, filters and rows. */
export function ListPage<T, X extends object>(props: ListPageProps<T, X>) {
  const { command, action, filters, ...list } = props;
  return (
    <Page width="wide">
      <PageHeader
        title={list.label}
        actions={
          <>
            <AsCommand {...command} />
            {action}
          </>
        }
      />
      {filters}
      <List lines={8} {...list} />
    </Page>
  );
}

/** At the end of a list that goes on. */
export function More({ label, loading, onMore }: { label: string; loading: boolean; onMore: () => void }) {
  return (
    <div className={classes.more}>
      <Button variant="default" loading={loading} onClick={onMore}>
        {label}
      </Button>
    </div>
  );
}
