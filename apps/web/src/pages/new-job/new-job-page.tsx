import type { Job, JobDetail } from '@hangar/contract';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useCallback, useRef, useState } from 'react';
import { useApi } from '../../api/client.tsx';
import { loadable } from '../../api/loadable.ts';
import { useSchemaForm } from '../../components/form/use-schema-form.ts';
import { Page } from '../../components/page.tsx';
import { Delayed, LinesSkeleton } from '../../components/state/states.tsx';
import { agentFields, formOf } from '../../modules/jobs/new-job/form-of-job.ts';
import { EMPTY_FORM, fieldOfJob, groupOf, type JobForm, JobInput } from '../../modules/jobs/new-job/new-job-form.ts';
import { NewJobView } from '../../modules/jobs/new-job/new-job-view.tsx';
import { statesOf } from '../../modules/sandboxes/filter.ts';

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
  const sandboxes = useQuery(api.sandboxes.list.queryOptions({ input: { limit: 200, state: statesOf('open') } }));
  const credentials = useQuery(api.credentials.list.queryOptions({ input: {} }));
  const [given] = useState(() => ({ ...(source && formOf(source, presets)), ...askedFor(asked, presets) }));
  const keyFor = useIdempotencyKey();
  const form = useSchemaForm({
    schema: JobInput,
    initial: EMPTY_FORM,
    given,
    keepAs: 'new-job',
    secrets: SECRETS,
    fieldOf: fieldOfJob,
    submit: async ({ request, times }, typed) => {
      const key = keyFor(typed);
      const group = groupOf(typed, key);
      const sent: Job[] = [];
      // One after the other: where a quota ends it, what was sent before stands, and sending again goes on from there.
      for (let n = 1; n <= times; n += 1)
        sent.push(
          await api.jobs.create.call(
            times === 1 ? { ...request, idempotencyKey: key } : { ...request, group, idempotencyKey: `${key}.${n}` },
          ),
        );
      void queries.invalidateQueries({ queryKey: api.jobs.list.key() });
      return sent;
    },
    onDone: ([job]) => {
      if (job?.group) void navigate({ to: '/compare', search: { group: job.group } });
      else if (job) void navigate({ to: '/jobs/$id', params: { id: job.id } });
    },
  });
  return (
    <NewJobView
      form={form}
      agents={agents.data?.items ?? []}
      profiles={profiles.data?.items ?? []}
      drivers={drivers.data?.items ?? []}
      sandboxes={loadable({ ...sandboxes, data: sandboxes.data?.items })}
      credentials={credentials.data?.items ?? []}
    />
  );
}

/** Their names are kept. */
const SECRETS = ['env'] as const;

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
function askedFor(
  asked: Partial<Record<'repo' | 'agent' | 'profile' | 'sandbox', string | undefined>>,
  presets: readonly string[],
): Partial<JobForm> {
  return {
    ...(asked.repo === undefined ? {} : { repo: asked.repo }),
    ...(asked.agent === undefined ? {} : agentFields(asked.agent, presets)),
    ...(asked.profile === undefined ? {} : { place: 'profile', profile: asked.profile }),
    ...(asked.sandbox === undefined ? {} : { place: 'sandbox', sandbox: asked.sandbox }),
  };
}
