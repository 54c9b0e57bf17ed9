import type { HangarError } from '@hangar/contract';
import { Button, type ButtonProps, Group, Stack } from '@mantine/core';
import type { FormEventHandler, ReactNode } from 'react';
import { ErrorState } from '../state/states.tsx';

export interface FormFrameProps {
  form: { onSubmit: FormEventHandler<HTMLFormElement>; error: HangarError | null; pending: boolean };
  /** The verb of the button: "Save plan". */
  action: string;
  button?: ButtonProps;
  /** With a way to leave it be. */
  onClose?: () => void;
  className?: string | undefined;
  children: ReactNode;
}

/** Fields, what the server said, and the button that sends. */
export function FormFrame({ form, action, button, onClose, className, children }: FormFrameProps) {
  const submit = (
    <Button type="submit" loading={form.pending} {...button}>
      {action}
    </Button>
  );
  return (
    <form onSubmit={form.onSubmit} noValidate className={className}>
      <Stack gap={14}>
        {children}
        {form.error ? <ErrorState error={form.error} /> : null}
        {onClose === undefined ? (
          <div>{submit}</div>
        ) : (
          <Group justify="flex-end" gap={8}>
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            {submit}
          </Group>
        )}
      </Stack>
    </form>
  );
}
