import { Modal } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import { useApi, useMe } from '../../api/client.tsx';
import { PAGES, pagesOf } from '../../api/pages.ts';
import { sent } from '../../components/list/list-filter.ts';
import { SANDBOXES_FILTER, statesOf } from '../../modules/sandboxes/filter.ts';
import { OpenForm } from '../../modules/sandboxes/open-form.tsx';
import { SandboxesView } from '../../modules/sandboxes/sandboxes-view.tsx';

const route = getRouteApi('/app/sandboxes');

export function SandboxesPage() {
  const api = useApi();
  const me = useMe();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const isAdmin = me.data?.user.role === 'admin';
  const asked = SANDBOXES_FILTER.read(search);
  const filter = { ...asked, everybody: isAdmin && asked.everybody };
  const input = {
    ...{ limit: 50, mine: !filter.everybody },
    ...sent({ state: statesOf(filter.group), profile: filter.profile }),
  };
  const sandboxes = useInfiniteQuery(
    api.sandboxes.list.infiniteOptions({
      ...PAGES,
      input: (cursor: string | undefined) => ({ ...input, ...sent({ cursor }) }),
    }),
  );
  const profiles = useQuery(api.profiles.list.queryOptions({ input: {}, staleTime: 60_000 }));
  const names = useMemo(() => {
    const [first, ...rest] = (profiles.data?.items ?? []).toSorted((a, b) => Number(b.isDefault) - Number(a.isDefault));
    return first === undefined ? null : ([first.name, ...rest.map(({ name }) => name)] as const);
  }, [profiles.data]);
  const [opening, setOpening] = useState(false);
  const { of, ...paging } = pagesOf(sandboxes);
  return (
    <>
      <SandboxesView
        sandboxes={of}
        {...paging}
        filter={filter}
        onFilter={(next) => void navigate({ replace: true, search: SANDBOXES_FILTER.write(next) })}
        profiles={names ?? []}
        isAdmin={isAdmin}
        onOpen={() => setOpening(true)}
      />
      <Modal opened={opening && names !== null} onClose={() => setOpening(false)} title="Open a sandbox">
        {names === null ? null : (
          <OpenForm
            profiles={names}
            onClose={() => setOpening(false)}
            onOpen={async (request) => {
              const { id } = await api.sandboxes.open.call(request);
              void navigate({ to: '/sandboxes/$id', params: { id }, search: {} });
            }}
          />
        )}
      </Modal>
    </>
  );
}
