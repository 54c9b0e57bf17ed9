import { Button } from '@mantine/core';
import { formatCount } from '../format.ts';
import classes from './list.module.css';

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
    <nav className={classes.more} aria-label="Pages">
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
