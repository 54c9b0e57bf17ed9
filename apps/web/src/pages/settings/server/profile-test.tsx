import type { HangarError, ProfileCheck } from '@hangar/contract';
import { OPERATIONS } from '@hangar/contract/operations';
import { Button, Group, Modal, Stack } from '@mantine/core';
import { AsCommand, asCommand } from '../../../components/actions/as-command.tsx';
import { StateIcon } from '../../../components/state/state-badge.tsx';
import { ErrorState, LinesSkeleton } from '../../../components/state/states.tsx';
import classes from '../settings.module.css';

export interface ProfileTest {
  name: string;
  /** Null while it runs. */
  result: { ok: boolean; checks: ProfileCheck[] } | null;
}

export interface ProfileTestDialogProps {
  test: ProfileTest | null;
  error: HangarError | null;
  onAgain: () => void;
  onClose: () => void;
}

/** What was tried on a profile, and what came of it. */
export function ProfileTestDialog({ test, error, onAgain, onClose }: ProfileTestDialogProps) {
  const name = test?.name ?? '';
  const result = test?.result ?? null;
  const running = result === null && error === null;
  return (
    <Modal opened={test !== null} onClose={onClose} title={`Test of ${name}`}>
      <Stack gap={16} aria-live="polite">
        {error ? <ErrorState error={error} /> : null}
        {running ? <LinesSkeleton lines={3} /> : null}
        {result === null ? null : (
          <>
            <div>{result.ok ? 'The profile works.' : 'The profile does not work yet.'}</div>
            <ul className={classes.checks}>
              {result.checks.map((check) => (
                <li key={check.name}>
                  <StateIcon tone={check.ok ? 'good' : 'bad'} />
                  <div>
                    <strong>{check.name}</strong>
                    <p>{check.detail}</p>
                    {check.wayOut === null ? null : <p>{check.wayOut}</p>}
                  </div>
                </li>
              ))}
            </ul>
          </>
        )}
        <Group justify="flex-end" gap={8}>
          <AsCommand {...asCommand(OPERATIONS.profiles.test, { name })} />
          <Button variant="default" onClick={onAgain} loading={running}>
            Test again
          </Button>
          <Button onClick={onClose} data-autofocus>
            Close
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
