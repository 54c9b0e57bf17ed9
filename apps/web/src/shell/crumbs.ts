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
  const place = PLACES.find(({ to }) => path === to || path.startsWith(`${to}/`));
  if (!place) return [{ label: 'Hangar', to: '/jobs' }];
  const rest = path.slice(place.to.length + 1);
  if (rest === '') return [{ label: place.label }];
  return [{ label: place.label, to: place.to }, { label: WORDS[path] ?? decodeURIComponent(rest) }];
}
