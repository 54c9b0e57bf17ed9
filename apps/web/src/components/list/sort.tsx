import { IconChevronDown, IconChevronUp } from '@tabler/icons-react';
import type { Sort } from '../data-table.tsx';
import classes from './sort.module.css';

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
