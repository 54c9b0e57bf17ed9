import { OPERATIONS, RAW_OPERATIONS } from '@hangar/contract/operations';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { jobCommands } from '../../modules/jobs/job/job-commands.ts';
import { healthCommand, listCommand, nodesCommand, podCommand } from '../../modules/kubernetes/cluster-commands.ts';
import { PODS_FILTER } from '../../modules/kubernetes/filter.ts';
import { asCommand } from './as-command.tsx';

beforeAll(() => vi.stubGlobal('location', { origin: 'https://hangar.example.org' }));
afterAll(() => void vi.unstubAllGlobals());

const curl = (rest: string, method = '') =>
  `curl -fsS ${method}-H "Authorization: Bearer $HANGAR_TOKEN" ${rest.includes('?') ? rest : `https://hangar.example.org/api${rest}`}`;
const quoted = (path: string) => `'https://hangar.example.org/api${path}'`;

it('what is done with a job is typed like this', () => {
  const id = 'j_7k2m9p4x';
  expect(jobCommands({ id })).toEqual({
    status: { hangar: `hangar status ${id}`, curl: curl(`/jobs/${id}`) },
    logs: { hangar: `hangar logs ${id} --follow`, curl: curl(quoted(`/jobs/${id}/logs?follow=true`)) },
    pull: { hangar: `hangar pull ${id}`, curl: curl(`/jobs/${id}/artifacts/diff`) },
    cancel: { hangar: `hangar cancel ${id}`, curl: curl(`/jobs/${id}/cancel`, '-X POST ') },
    retry: { hangar: `hangar retry ${id}`, curl: curl(`/jobs/${id}/retry`, '-X POST ') },
  });
});

it('what is shown of a cluster is typed like this', () => {
  expect(healthCommand(undefined)).toEqual({ hangar: 'hangar k8s health', curl: curl('/k8s/health') });
  expect(nodesCommand('kind one')).toEqual({
    hangar: "hangar k8s nodes --context 'kind one'",
    curl: curl(quoted('/k8s/nodes?context=kind+one')),
  });
  expect(podCommand('shop', 'web-1', 'c')).toEqual({
    hangar: 'hangar k8s pod shop web-1 --context c',
    curl: curl(quoted('/k8s/pods/shop/web-1?context=c')),
  });
  expect(listCommand(PODS_FILTER.read({}), undefined)).toEqual({
    hangar: 'hangar k8s pods',
    curl: curl(quoted('/k8s/pods?sort=attention')),
  });
  const all = { status: 'running,failed', namespace: 'shop', node: 'n-1', search: 'web', sort: '-cpu', page: 2 };
  expect(listCommand(PODS_FILTER.read(all), 'c')).toEqual({
    hangar:
      'hangar k8s pods --status failed --status running --namespace shop --node n-1 --search web --sort cpu --context c --reverse',
    curl: curl(
      quoted(
        '/k8s/pods?context=c&namespace=shop&nodeName=n-1&status=failed&status=running&search=web&sort=-cpu&offset=50',
      ),
    ),
  });
});

it('what goes into the body is in the body, and what was left out nowhere', () => {
  expect(asCommand(OPERATIONS.access.createInvite, { role: 'member' })).toEqual({
    hangar: 'hangar invites create --role member',
    curl: `curl -fsS -X POST -H "Authorization: Bearer $HANGAR_TOKEN" -H 'Content-Type: application/json' -d '{"role":"member"}' https://hangar.example.org/api/invites`,
  });
  expect(asCommand(OPERATIONS.activity.list).hangar).toBe('hangar activity');
  expect(asCommand(OPERATIONS.jobs.list, { state: ['queued', 'running'], mine: false })).toEqual({
    hangar: 'hangar jobs --state queued --state running --all',
    curl: curl(quoted('/jobs?state=queued&state=running&mine=false')),
  });
  expect(asCommand(RAW_OPERATIONS.jobs.artifact, { id: 'j_7k2m9p4x', name: 'a b/c' })).toEqual({
    hangar: "hangar artifacts download j_7k2m9p4x 'a b/c'",
    curl: curl('/jobs/j_7k2m9p4x/artifacts/a%20b%2Fc'),
  });
});
