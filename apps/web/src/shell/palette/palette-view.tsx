import type { HangarError, SearchHit } from '@hangar/contract';
import { Modal } from '@mantine/core';
import {
  IconActivity,
  IconBox,
  IconBriefcase2,
  IconCornerDownLeft,
  IconKey,
  IconSearch,
  IconServerBolt,
  IconUser,
  type TablerIcon,
} from '@tabler/icons-react';
import { type KeyboardEvent, useId, useState } from 'react';
import { ErrorState } from '../../components/state/states.tsx';
import classes from './palette.module.css';

export interface PaletteAction {
  id: string;
  label: string;
  detail?: string;
  Icon?: TablerIcon;
  run: () => void;
}

export interface PaletteViewProps {
  opened: boolean;
  onClose: () => void;
  text: string;
  onText: (text: string) => void;
  actions: readonly PaletteAction[];
  hits: readonly SearchHit[];
  searching: boolean;
  error: HangarError | null;
  onHit: (hit: SearchHit) => void;
}

/** Of those that have one of their own. */
const KINDS: Partial<Record<SearchHit['kind'], TablerIcon>> = {
  job: IconBriefcase2,
  profile: IconServerBolt,
  credential: IconKey,
  person: IconUser,
  activity: IconActivity,
  pod: IconBox,
};

interface Option extends PaletteAction {
  group: 'Found' | 'Do';
}

/** Go to anything by id or name, and do. */
export function PaletteView(props: PaletteViewProps) {
  return (
    <Modal
      opened={props.opened}
      onClose={props.onClose}
      withCloseButton={false}
      padding={0}
      size={560}
      attributes={{ content: { 'aria-label': 'Search or do something' } }}
    >
      <Body {...props} />
    </Modal>
  );
}

function Body({ onClose, text, onText, actions, hits, searching, error, onHit }: PaletteViewProps) {
  const [chosen, setChosen] = useState(0);
  const listId = useId();
  const needle = text.trim().toLowerCase();
  const options: Option[] = [
    ...hits.map((hit) => ({
      id: `hit-${hit.kind}-${hit.id}`,
      label: hit.title,
      detail: [hit.id === hit.title ? '' : hit.id, hit.detail].filter(Boolean).join(' · '),
      Icon: KINDS[hit.kind] ?? IconSearch,
      run: () => onHit(hit),
      group: 'Found' as const,
    })),
    ...actions
      .filter((action) => `${action.label} ${action.detail ?? ''}`.toLowerCase().includes(needle))
      .map((action) => ({ ...action, group: 'Do' as const })),
  ];
  const at = Math.min(chosen, Math.max(0, options.length - 1));
  const run = (option: Option | undefined) => {
    if (!option) return;
    onClose();
    option.run();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const by = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (by !== 0 && options.length > 0) {
      event.preventDefault();
      const next = (at + by + options.length) % options.length;
      setChosen(next);
      document.getElementById(`${listId}-${next}`)?.scrollIntoView({ block: 'nearest' });
    }
    if (event.key === 'Enter') {
      event.preventDefault();
      run(options[at]);
    }
  };
  return (
    <>
      <div className={classes.field}>
        <IconSearch size={17} aria-hidden />
        <input
          data-autofocus
          role="combobox"
          aria-expanded={options.length > 0}
          aria-controls={options.length > 0 ? listId : undefined}
          aria-activedescendant={options.length > 0 ? `${listId}-${at}` : undefined}
          aria-label="Search or do something"
          placeholder="An id, a name, or what to do"
          value={text}
          onChange={(event) => {
            onText(event.currentTarget.value);
            setChosen(0);
          }}
          onKeyDown={onKeyDown}
        />
      </div>
      {error ? (
        <div style={{ padding: 10 }}>
          <ErrorState error={error} />
        </div>
      ) : null}
      <div className={classes.list} aria-live="polite" aria-busy={searching}>
        <div {...(options.length > 0 ? { role: 'listbox', id: listId, 'aria-label': 'Results' } : {})}>
          {options.map((option, index) => {
            const Icon = option.Icon ?? IconCornerDownLeft;
            return (
              <div key={option.id} role="presentation">
                {option.group === options[index - 1]?.group ? null : (
                  <div className={classes.group}>{option.group}</div>
                )}
                {/* biome-ignore lint/a11y/useFocusableInteractive: the field keeps the focus and names the active option */}
                {/* biome-ignore lint/a11y/useKeyWithClickEvents: the field takes the keys */}
                <div
                  id={`${listId}-${index}`}
                  role="option"
                  aria-selected={index === at}
                  className={classes.option}
                  data-chosen={index === at || undefined}
                  onMouseMove={() => setChosen(index)}
                  onClick={() => run(option)}
                >
                  <Icon size={16} stroke={1.7} aria-hidden />
                  <span className={classes.title}>{option.label}</span>
                  <span className={classes.detail}>{option.detail}</span>
                </div>
              </div>
            );
          })}
        </div>
        {options.length === 0 && !searching ? <div className={classes.quiet}>Nothing is called that.</div> : null}
        {searching && options.length === 0 ? <div className={classes.quiet}>Searching</div> : null}
      </div>
    </>
  );
}
