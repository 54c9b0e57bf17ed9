import { formatCount } from '@hangar/contract/words/number';
import { Button } from '@mantine/core';
import { IconChevronDown, IconChevronUp } from '@tabler/icons-react';
import type { Sort } from './data-table.tsx';
import list from './list.module.css';
import classes from './sorted-pages.module.css';

interface PagerProps {
  /** From 1. */
  page: number;
  size: number;
  /** On this page. */
  shown: number;
  total: number;
  onPage: (page: number) => void;
}

/** For lists whose rows change places: there is no end to go on from. */
export function Pager({ page, size, shown, total, onPage }: PagerProps) {
  if (total <= size && page === 1) return null;
  const first = (page - 1) * size + 1;
  const last = Math.min(total, first + shown - 1);
  return (
    <nav className={list.more} aria-label="Pages">
      <Button variant="default" disabled={page === 1} onClick={() => onPage(page - 1)}>
        Previous
      </Button>
      <span className="hg-num">
        {formatCount(first)}–{formatCount(last)} of {formatCount(total)}
      </span>
      <Button variant="default" disabled={last >= total} onClick={() => onPage(page + 1)}>
        Next
      </Button>
    </nav>
  );
}

/** How a table is sorted, `-` the other way round; a click on a column asks for it. */
export function sortOf(sort: string, onSort: (column: string) => void): Sort {
  const by = sort.replace(/^-/, '');
  const order = sort.startsWith('-') ? 'descending' : 'ascending';
  const Icon = order === 'descending' ? IconChevronDown : IconChevronUp;
  return {
    column: by,
    order,
    header: ({ id, header }) => (
      <button type="button" className={classes.sort} data-here={id === by || undefined} onClick={() => onSort(id)}>
        {header}
        {id === by ? <Icon size={12} aria-hidden /> : <IconChevronUp size={12} aria-hidden />}
      </button>
    ),
  };
}
