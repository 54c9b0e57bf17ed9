import type { Job, JobDetail, NewJob } from '@hangar/contract';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useCallback, useRef, useState } from 'react';
import { useApi } from '../../api/client.tsx';
import { Page } from '../../components/page.tsx';
import { Delayed, LinesSkeleton } from '../../components/skeletons.tsx';
import { useAction } from '../../components/use-action.ts';
import {
  agentFields,
  EMPTY_FORM,
  forget,
  formOf,
  groupOf,
  type JobForm,
  keep,
  kept,
  requestOf,
  timesOf,
} from '../../modules/jobs/new-job-form.ts';
import { NewJobView } from '../../modules/jobs/new-job-view.tsx';

const route = getRouteApi('/app/jobs/new');

export function NewJobPage() {
  const api = useApi();
  const { from, agent } = route.useSearch();
  const source = useQuery({
    ...api.jobs.get.queryOptions({ input: { id: from ?? '' } }),
    enabled: from !== undefined,
  });
  const agents = useQuery(api.jobs.agents.queryOptions({ input: {}, staleTime: 600_000 }));
  // The form is filled once, so what fills it has to be here.
  const waits = source.isLoading || ((from !== undefined || agent !== undefined) && agents.isLoading);
  if (waits)
    return (
      <Page>
        <Delayed>
          <LinesSkeleton lines={8} />
        </Delayed>
      </Page>
    );
  const names = agents.data?.items.map((agent) => agent.name) ?? [];
  return <Form key={from} source={source.data} presets={names} />;
}

function Form({ source, presets }: { source: JobDetail | undefined; presets: readonly string[] }) {
  const api = useApi();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const asked = route.useSearch();
  const agents = useQuery(api.jobs.agents.queryOptions({ input: {}, staleTime: 600_000 }));
  const profiles = useQuery(api.profiles.list.queryOptions({ input: {} }));
  const drivers = useQuery(api.profiles.drivers.queryOptions({ input: {}, staleTime: 60_000 }));
  const credentials = useQuery(api.credentials.list.queryOptions({ input: {} }));
  const [form, setForm] = useState<JobForm>(() =>
    source === undefined
      ? { ...(kept(sessionStorage) ?? EMPTY_FORM), ...given(asked, presets) }
      : { ...formOf(source, presets), ...given(asked, presets) },
  );
  const keyFor = useIdempotencyKey();

  const send = useAction(
    async () => {
      const key = keyFor(form);
      const request = requestOf(form, key);
      const times = timesOf(form);
      if (request === null || times === null) throw new Error('a form with errors is not sent');
      const group = groupOf(form, key);
      const sent: Job[] = [];
      // One after the other: where a quota ends it, what was sent before stands, and sending again goes on from there.
      for (let n = 1; n <= times; n += 1)
        sent.push(
          await api.jobs.create.call(
            (times === 1 ? request : { ...request, group, idempotencyKey: `${key}.${n}` }) satisfies NewJob,
          ),
        );
      forget(sessionStorage);
      void queries.invalidateQueries({ queryKey: api.jobs.list.key() });
      return sent;
    },
    ([job]) => {
      if (job?.group) void navigate({ to: '/compare', search: { group: job.group } });
      else if (job) void navigate({ to: '/jobs/$id', params: { id: job.id } });
    },
  );
  return (
    <NewJobView
      form={form}
      onForm={(next) => {
        setForm(next);
        keep(sessionStorage, next);
        if (send.error !== null) send.reset();
      }}
      agents={agents.data?.items ?? []}
      profiles={profiles.data?.items ?? []}
      drivers={drivers.data?.items ?? []}
      credentials={credentials.data?.items ?? []}
      onSend={send.run}
      pending={send.pending}
      error={send.error}
    />
  );
}

/** One key for one content: sent again after an error it is the same job, changed it is another. */
function useIdempotencyKey(): (form: JobForm) => string {
  const last = useRef({ content: '', key: '' });
  return useCallback((form) => {
    const content = JSON.stringify(form);
    if (last.current.content !== content) last.current = { content, key: `web-${randomText()}` };
    return last.current.key;
  }, []);
}

// crypto.randomUUID is missing where the page is not served over https.
const randomText = (): string =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');

/** What the address asks for. */
function given(
  asked: { repo?: string | undefined; agent?: string | undefined; profile?: string | undefined },
  presets: readonly string[],
): Partial<JobForm> {
  return {
    ...(asked.repo === undefined ? {} : { repo: asked.repo }),
    ...(asked.agent === undefined ? {} : agentFields(asked.agent, presets)),
    ...(asked.profile === undefined ? {} : { profile: asked.profile }),
  };
}
