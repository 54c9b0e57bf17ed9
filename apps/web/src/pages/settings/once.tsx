import { Button, Modal, Stack } from '@mantine/core';
import type { ReactNode } from 'react';
import { Command } from '../../components/actions/copy.tsx';
import { Callout } from '../../components/state/callout.tsx';

export interface OnceProps {
  opened: boolean;
  onClose: () => void;
  title: string;
  /** The secret or link itself. */
  value: string;
  /** How it is used. */
  children?: ReactNode;
}

/** Something that is shown once and never again. */
export function Once({ opened, onClose, title, value, children }: OnceProps) {
  return (
    <Modal opened={opened} onClose={onClose} title={title} closeOnClickOutside={false} size="lg">
      <Stack gap={14}>
        <Callout tone="needs">Copy it now: it is not shown again.</Callout>
        <Command text={value} />
        {children}
        <Button onClick={onClose} fullWidth data-autofocus>
          I have it
        </Button>
      </Stack>
    </Modal>
  );
}
