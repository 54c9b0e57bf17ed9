import { formatCount, plural } from '@hangar/contract/words/number';
import { Button, SegmentedControl, Select } from '@mantine/core';
import { IconX } from '@tabler/icons-react';
import type { CSSProperties, ReactNode } from 'react';
import classes from './list.module.css';
import { SearchField } from './search-field.tsx';

export interface ListFiltersProps {
  /** Left out where the list is not searched. */
  search?: {
    /** Of what: "Search jobs". */
    label: string;
    placeholder: string;
    text: string;
    onText: (text: string) => void;
  };
  children: ReactNode;
}

/** The line above a list that says what it shows. `/` leads to its search. */
export function ListFilters({ search, children }: ListFiltersProps) {
  return (
    <search className={classes.filters}>
      {search === undefined ? null : <SearchField {...search} className={classes.searchField} />}
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

export interface GroupsProps<G extends string> {
  label: string;
  value: G;
  onValue: (value: G) => void;
  options: readonly { readonly group: G; readonly label: string }[];
}

/** Which states a list shows. */
export function Groups<G extends string>({ label, value, onValue, options }: GroupsProps<G>) {
  return (
    <SegmentedControl
      className={classes.groups ?? ''}
      aria-label={label}
      value={value}
      onChange={(next) => onValue(next as G)}
      data={options.map((one) => ({ value: one.group, label: one.label }))}
    />
  );
}

export interface WhoseProps {
  of: string;
  everybody: boolean;
  onEverybody: (everybody: boolean) => void;
}

/** For admins: their own things, or those of everybody. `of`: "jobs". */
export function Whose({ of, everybody, onEverybody }: WhoseProps) {
  return (
    <SegmentedControl
      className={classes.whose ?? ''}
      aria-label={`Whose ${of}`}
      value={everybody ? 'all' : 'mine'}
      onChange={(value) => onEverybody(value === 'all')}
      data={[
        { value: 'mine', label: 'Mine' },
        { value: 'all', label: 'Everybody' },
      ]}
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
