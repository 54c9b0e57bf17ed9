import { TextInput } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useEffect, useEffectEvent, useState } from 'react';

/** Tells what was typed a moment after the last key. */
export function SearchField(props: {
  text: string;
  onText: (text: string) => void;
  label: string;
  placeholder: string;
  className: string | undefined;
}) {
  const { text, onText, label, placeholder, className } = props;
  const [typed, setTyped] = useState(text);
  const [known, setKnown] = useState(text);
  if (known !== text) {
    setKnown(text);
    setTyped(text);
  }
  // A page that draws itself anew several times a second must not put it off.
  const tell = useEffectEvent(onText);
  useEffect(() => {
    if (typed === text) return;
    const timer = setTimeout(() => tell(typed), 250);
    return () => clearTimeout(timer);
  }, [typed, text]);
  return (
    <TextInput
      className={className ?? ''}
      type="search"
      aria-label={label}
      placeholder={placeholder}
      leftSection={<IconSearch size={15} />}
      value={typed}
      onChange={(event) => setTyped(event.currentTarget.value)}
      data-search
    />
  );
}
