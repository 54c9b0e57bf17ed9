import { formatCount, plural } from '@hangar/contract/words/number';
import { Button, Select } from '@mantine/core';
import { IconX } from '@tabler/icons-react';
import type { CSSProperties, ReactNode } from 'react';
import classes from './list.module.css';
import { SearchField } from './search-field.tsx';

export interface ListFiltersProps {
  /** Of what: "Search jobs". */
  label: string;
  placeholder: string;
  text: string;
  onText: (text: string) => void;
  children: ReactNode;
}

/** The line above a list that says what it shows. `/` leads to its search. */
export function ListFilters({ label, placeholder, text, onText, children }: ListFiltersProps) {
  return (
    <search className={classes.filters}>
      <SearchField
        text={text}
        onText={onText}
        label={label}
        placeholder={placeholder}
        className={classes.searchField}
      />
      {children}
    </search>
  );
}

export interface PickProps<T extends string> {
  label: string;
  /** Where nothing is picked: "Any agent". Left out where one always is. */
  any?: string;
  value: T | null;
  onValue: (value: T | null) => void;
  options: readonly (T | { value: T; label: string })[];
  /** For many. */
  searchable?: boolean;
  width?: number;
}

/** What is picked stays among the options, whatever they are. */
export function Pick<T extends string>(props: PickProps<T>) {
  const { label, any, value, onValue, options, searchable = false, width = 136 } = props;
  const isKnown = value === null || options.some((one) => (typeof one === 'string' ? one : one.value) === value);
  return (
    <Select
      className={classes.pick ?? ''}
      style={{ '--pick-width': `${width}px` } as CSSProperties}
      aria-label={label}
      {...(any === undefined ? { allowDeselect: false } : { placeholder: any, clearable: true })}
      {...(searchable ? { searchable, limit: 200 } : {})}
      value={value}
      onChange={(next) => onValue(next as T | null)}
      data={isKnown ? [...options] : [...options, value]}
    />
  );
}

/** What the list was narrowed to elsewhere, and the way out of it. */
export function Narrowed({ to, label, onClear }: { to: string; label?: string; onClear: () => void }) {
  return (
    <Button variant="default" rightSection={<IconX size={14} />} aria-label={label} onClick={onClear}>
      {to}
    </Button>
  );
}

/** At the end of the filters: how many fit, of how many. */
export function Found({ fit, all, noun }: { fit: number; all: number; noun: string }) {
  return (
    <span className={`${classes.found} hg-num`} role="status">
      {fit === all ? '' : `${formatCount(fit)} of `}
      {plural(all, noun)}
    </span>
  );
}
