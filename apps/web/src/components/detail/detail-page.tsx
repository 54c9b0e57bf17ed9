import { Tabs } from '@mantine/core';
import type { ReactNode } from 'react';
import type { Loadable } from '../../api/loadable.ts';
import { AsCommand, type AsCommandProps } from '../actions/as-command.tsx';
import { Page, PageHeader } from '../page.tsx';
import { Bone, Loaded } from '../state/states.tsx';
import classes from './detail.module.css';

export interface DetailTab<I extends string> {
  readonly id: I;
  readonly label: string;
  /** Beside the label: how much there is. */
  readonly count?: string;
  /** It takes the rest of the window, as a log does; above it stands what chooses what is shown. */
  readonly fills?: boolean;
  readonly above?: ReactNode;
  /** Drawn only while its tab is chosen. */
  readonly body: ReactNode;
}

/** One thing as its page shows it. */
export interface Detail<I extends string> {
  title: string;
  /** A StateBadge. */
  state: ReactNode;
  /** One quiet line under the title; see `FactLine`. */
  facts: ReactNode;
  /** The thing as a command. */
  command: AsCommandProps;
  actions?: ReactNode;
  /** Between the header and the tabs: what is going on, what went wrong. */
  now?: ReactNode;
  /** The first is the one the page opens with. */
  tabs: readonly DetailTab<I>[];
  /** Questions of the actions. */
  dialogs?: ReactNode;
}

export interface DetailPageProps<T, I extends string> {
  of: Loadable<T>;
  tab: I;
  onTab: (tab: I) => void;
  children: (thing: T) => Detail<I>;
}

/** A noun's page of one thing, in all states: loading, gone, error, refetching and live. */
export function DetailPage<T, I extends string>({ of, tab, onTab, children }: DetailPageProps<T, I>) {
  return (
    <Page width="wide">
      <Loaded of={of} skeleton={<DetailSkeleton />}>
        {(thing) => <Shown {...children(thing)} tab={tab} onTab={onTab} />}
      </Loaded>
    </Page>
  );
}

function Shown<I extends string>(props: Detail<I> & { tab: I; onTab: (tab: I) => void }) {
  const { tabs, tab, onTab } = props;
  return (
    <div className={classes.detail}>
      <PageHeader
        title={props.title}
        state={props.state}
        sub={props.facts}
        actions={
          <>
            <AsCommand {...props.command} />
            {props.actions}
          </>
        }
      />
      {props.now}
      <Tabs
        className={classes.tabs ?? ''}
        value={tab}
        onChange={(next) => {
          const chosen = tabs.find(({ id }) => id === next);
          if (chosen) onTab(chosen.id);
        }}
        keepMounted={false}
      >
        <Tabs.List>
          {tabs.map(({ id, label, count }) => (
            <Tabs.Tab key={id} value={id}>
              {label}
              {count === undefined ? null : <span className={classes.count}> {count}</span>}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {tabs.map(({ id, fills = false, above, body }) => (
          <Tabs.Panel key={id} value={id} className={(fills ? classes.filled : classes.panel) ?? ''}>
            {above}
            {fills ? (
              <div className={classes.fill}>
                <div>{body}</div>
              </div>
            ) : (
              body
            )}
          </Tabs.Panel>
        ))}
      </Tabs>
      {props.dialogs}
    </div>
  );
}

/** Short facts on one line, a dot between them. */
export function FactLine({ children }: { children: ReactNode }) {
  return <span className={classes.facts}>{children}</span>;
}

function DetailSkeleton() {
  return (
    <div aria-hidden style={{ display: 'grid', gap: 16 }}>
      <Bone width="min(320px, 80%)" height={18} />
      <Bone width="min(460px, 100%)" />
      <Bone height={6} />
      <Bone width="70%" />
      <Bone height={360} />
    </div>
  );
}

/** The tab that the address names; the first when it names none that is known. */
export const tabOf = <I extends string>(tabs: readonly [I, ...(readonly I[])], typed: string | undefined): I =>
  tabs.find((known) => known === typed) ?? tabs[0];

/** What stands in the address for a tab: nothing for the first. */
export const tabParameter = <I extends string>(tabs: readonly [I, ...(readonly I[])], tab: I): I | undefined =>
  tab === tabs[0] ? undefined : tab;
