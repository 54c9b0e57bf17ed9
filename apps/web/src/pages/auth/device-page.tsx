import type { DeviceRequest, HangarError, Person } from '@hangar/contract';
import { Button, Group, Stack, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { useApi, useMe } from '../../api/client.tsx';
import { asHangarError } from '../../api/errors.ts';
import { type Loadable, loadable } from '../../api/loadable.ts';
import { Facts } from '../../components/figures/facts.tsx';
import { Time } from '../../components/figures/time.tsx';
import { Callout } from '../../components/state/callout.tsx';
import { StateIcon } from '../../components/state/state-badge.tsx';
import { ErrorState, LinesSkeleton, Loaded } from '../../components/state/states.tsx';
import type { Tone } from '../../components/state/tones.ts';
import classes from './auth.module.css';
import { AuthFrame } from './auth-frame.tsx';

const route = getRouteApi('/device');

/** Where a person approves a program that waits in a terminal (RFC 8628 verification). */
export function DevicePage() {
  const api = useApi();
  const queries = useQueryClient();
  const navigate = route.useNavigate();
  const { user_code } = route.useSearch();
  const me = useMe();
  const code = user_code === undefined ? null : normalCode(user_code);
  const input = { userCode: code ?? '' };
  const request = useQuery(
    api.access.lookAtDevice.queryOptions({
      input,
      enabled: code !== null && me.data !== undefined,
      staleTime: 0,
      // The terminal may give up meanwhile; a page that stays open must say so.
      refetchInterval: (query) => (query.state.data?.status === 'waiting' ? 10_000 : false),
    }),
  );
  const decide = useMutation(
    api.access.decideDevice.mutationOptions({
      onSuccess: (decided) => queries.setQueryData(api.access.lookAtDevice.queryKey({ input }), decided),
    }),
  );
  const asked = loadable(request);
  return (
    <DeviceView
      key={code}
      code={code}
      person={me.data?.user}
      request={me.error ? { ...asked, error: me.error, retry: me.retry } : asked}
      deciding={decide.isPending ? (decide.variables.approve ? 'approve' : 'deny') : null}
      decideError={decide.error ? asHangarError(decide.error) : null}
      onCode={(next) => void navigate({ search: { user_code: next } })}
      onOther={() => void navigate({ search: {} })}
      onDecide={(approve) => decide.mutate({ ...input, approve })}
    />
  );
}

/** `bcdfghjk`, `BCDF GHJK` → `BCDF-GHJK` */
export function normalCode(typed: string): string {
  const letters = typed.toUpperCase().replace(/[^A-Z0-9]/g, '');
  return letters.length > 4 ? `${letters.slice(0, 4)}-${letters.slice(4, 12)}` : letters;
}

export interface DeviceViewProps {
  /** Null while none has been entered. */
  code: string | null;
  person: Person | undefined;
  request: Loadable<DeviceRequest>;
  deciding: 'approve' | 'deny' | null;
  decideError: HangarError | null;
  onCode: (code: string) => void;
  onOther: () => void;
  onDecide: (approve: boolean) => void;
}

export function DeviceView(props: DeviceViewProps) {
  const { code, request, person } = props;
  if (code === null) return <EnterCode onCode={props.onCode} />;
  const status = request.data?.status;
  return (
    <AuthFrame
      wide
      title={status === 'waiting' ? 'A program wants to sign in as you' : 'Sign-in of a program'}
      {...(person
        ? { foot: `You are signed in as ${person.name}${person.email === '' ? '' : ` (${person.email})`}.` }
        : {})}
    >
      <Loaded of={request} skeleton={<LinesSkeleton lines={5} />}>
        {(asked) => (asked.status === 'waiting' ? <Decide {...props} asked={asked} /> : <Ended asked={asked} />)}
      </Loaded>
      {request.error ? (
        <Button variant="default" fullWidth mt={14} onClick={props.onOther}>
          Enter another code
        </Button>
      ) : null}
    </AuthFrame>
  );
}

function EnterCode({ onCode }: { onCode: (code: string) => void }) {
  const [typed, setTyped] = useState('');
  const [error, setError] = useState<string | null>(null);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const code = normalCode(typed);
    if (code.length < 9) setError('The code has eight characters, like BCDF-GHJK');
    else onCode(code);
  };
  return (
    <AuthFrame title="Sign a program in" lead="Enter the code that your terminal shows.">
      <form onSubmit={submit}>
        <Stack gap={14}>
          <TextInput
            label="Code"
            placeholder="BCDF-GHJK"
            value={typed}
            error={error}
            onChange={(event) => {
              setTyped(normalCode(event.currentTarget.value));
              setError(null);
            }}
            autoComplete="off"
            autoCapitalize="characters"
            spellCheck={false}
            styles={{ input: { fontFamily: 'var(--hg-mono)', fontSize: 16, letterSpacing: '0.08em' } }}
            autoFocus
          />
          <Button type="submit" fullWidth>
            Continue
          </Button>
        </Stack>
      </form>
    </AuthFrame>
  );
}

function Decide({ asked, deciding, decideError, onDecide }: DeviceViewProps & { asked: DeviceRequest }) {
  return (
    <Stack gap={14}>
      <div>
        <div style={{ color: 'var(--hg-dim)' }}>The terminal must show this code:</div>
        <code className={classes.code} style={{ marginBottom: 4 }}>
          {asked.userCode}
        </code>
      </div>
      <Facts
        items={[
          ['Program', asked.client],
          ['Place', <code key="place">{asked.place}</code>],
          ['Sends as', asked.userAgent],
          ['Asked', <Time key="at" at={asked.requestedAt} />],
          ['Ends', <Time key="end" at={asked.expiresAt} />],
        ]}
      />
      <Callout tone="needs">
        Approve only if you started this yourself just now. The program can then do everything you can do here.
      </Callout>
      {decideError ? <ErrorState error={decideError} /> : null}
      <Group grow gap={8}>
        <Button
          variant="default"
          loading={deciding === 'deny'}
          disabled={deciding === 'approve'}
          onClick={() => onDecide(false)}
        >
          Deny
        </Button>
        <Button loading={deciding === 'approve'} disabled={deciding === 'deny'} onClick={() => onDecide(true)}>
          Approve
        </Button>
      </Group>
    </Stack>
  );
}

const ENDS: Record<Exclude<DeviceRequest['status'], 'waiting'>, { tone: Tone; title: string; text: string }> = {
  approved: {
    tone: 'good',
    title: 'Approved',
    text: 'Go back to your terminal: it goes on by itself. You can close this page. Settings, Devices shows every program that is signed in.',
  },
  denied: {
    tone: 'ended',
    title: 'Denied',
    text: 'The program was not signed in. If you did not start it, nothing else is needed.',
  },
  expired: {
    tone: 'bad',
    title: 'The code has expired',
    text: 'Start again in your terminal: hangar cloud login',
  },
};

function Ended({ asked }: { asked: DeviceRequest }) {
  if (asked.status === 'waiting') return null;
  const { tone, title, text } = ENDS[asked.status];
  return (
    <div className={classes.end} role="status">
      <StateIcon tone={tone} size={20} />
      <div>
        <strong>{title}</strong>
        <p>{text}</p>
      </div>
    </div>
  );
}
