import { PLACES } from './places.ts';
import type { Crumb } from './shell-view.tsx';

const WORDS: Record<string, string> = {
  '/jobs/new': 'New job',
  '/settings/keys': 'API keys',
  '/settings/credentials': 'Credentials',
  '/settings/profiles': 'Profiles',
  '/settings/people': 'People',
  '/settings/plans': 'Plans',
  '/settings/use': 'Plan and use',
  '/settings/devices': 'Devices',
};

/** Where a path is: the noun, then the thing. */
export function crumbsOf(path: string): Crumb[] {
  if (path === '/compare') return [{ label: 'Jobs', to: '/jobs' }, { label: 'Compare' }];
  const cluster = clusterCrumbs(path);
  if (cluster !== null) return cluster;
  const place = PLACES.find(({ to }) => path === to || path.startsWith(`${to}/`));
  if (!place) return [{ label: 'Hangar', to: '/jobs' }];
  const rest = path.slice(place.to.length + 1);
  if (rest === '') return [{ label: place.label }];
  return [{ label: place.label, to: place.to }, { label: WORDS[path] ?? decodeURIComponent(rest) }];
}

/** The cluster has pages below pages. */
function clusterCrumbs(path: string): Crumb[] | null {
  const [, rest] = /^\/operations\/kubernetes(?:\/(.+))?$/.exec(path) ?? [];
  if (!path.startsWith('/operations/kubernetes')) return null;
  const above: Crumb[] = [{ label: 'Operations', to: '/operations' }];
  if (rest === undefined) return [...above, { label: 'Kubernetes' }];
  above.push({ label: 'Kubernetes', to: '/operations/kubernetes' });
  const [noun, , name] = rest.split('/').map(decodeURIComponent);
  if (noun === 'nodes') return [...above, { label: 'Nodes' }];
  if (name === undefined) return [...above, { label: 'Pods' }];
  return [...above, { label: 'Pods', to: '/operations/kubernetes/pods' }, { label: name }];
}
