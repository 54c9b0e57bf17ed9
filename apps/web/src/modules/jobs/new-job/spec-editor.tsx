import { Textarea } from '@mantine/core';
import { type KeyboardEvent, useRef } from 'react';
import classes from './new-job.module.css';

interface SpecEditorProps {
  name: string;
  value: string;
  error: string | undefined;
  onChange: (event: { currentTarget: { value: string } }) => void;
  onBlur: () => void;
}

/** Tab indents, Shift-Tab takes it back, Enter keeps the indent; Escape and then Tab leaves the field. */
export function SpecEditor(props: SpecEditorProps) {
  const leaves = useRef(false);
  const onKey = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    const area = event.currentTarget;
    if (event.key === 'Escape') {
      leaves.current = true;
      return;
    }
    if (event.key === 'Tab' && !leaves.current) {
      event.preventDefault();
      indent(area, event.shiftKey ? -1 : 1);
    } else if (event.key === 'Enter' && !event.ctrlKey && !event.metaKey && !event.nativeEvent.isComposing) {
      const start = area.value.lastIndexOf('\n', area.selectionStart - 1) + 1;
      const blanks = /^[ \t]*/.exec(area.value.slice(start, area.selectionStart))?.[0] ?? '';
      if (blanks !== '') {
        event.preventDefault();
        insert(`\n${blanks}`);
      }
    }
    leaves.current = false;
  };
  return (
    <Textarea
      label="Spec"
      required
      description="Markdown for the agent; agent shell runs its ```sh blocks. Tab indents; Escape, then Tab leaves the field."
      classNames={{ input: classes.editor ?? '' }}
      autosize
      minRows={14}
      maxRows={32}
      spellCheck={false}
      autoCapitalize="off"
      placeholder={PLACEHOLDER}
      {...props}
      onKeyDown={onKey}
    />
  );
}

const PLACEHOLDER = `# Add a search field to the notes list

Search in title and body. Add tests.

\`\`\`sh
npm test
\`\`\``;

/** As if it were typed, so that the browser's undo knows of it. */
const insert = (text: string): void => void document.execCommand('insertText', false, text);

function indent(area: HTMLTextAreaElement, by: 1 | -1): void {
  const { selectionStart: from, selectionEnd: to, value } = area;
  const start = value.lastIndexOf('\n', from - 1) + 1;
  if (by === 1 && !value.slice(from, to).includes('\n')) {
    insert('  ');
    return;
  }
  const block = value.slice(start, to);
  const changed = block
    .split('\n')
    .map((line) => (by === 1 ? (line === '' ? line : `  ${line}`) : line.replace(/^(\t| {1,2})/, '')))
    .join('\n');
  if (changed === block) return;
  area.setSelectionRange(start, to);
  insert(changed);
  area.setSelectionRange(start, start + changed.length);
}
