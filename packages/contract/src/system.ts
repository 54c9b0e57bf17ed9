import { z } from 'zod';
import { Empty, PUBLIC, read, WIDER } from './shared.ts';

export const ServerInfo = z.object({
  name: z.literal('hangar'),
  version: z.string(),
  url: z.string().describe('Where people reach this server'),
  needsFirstSignIn: z.boolean().describe('Nobody has signed in yet: use the one-time link the server printed'),
});
export type ServerInfo = z.infer<typeof ServerInfo>;

/** What is found, in the order in which it is shown: the first is opened by Enter. */
export const SEARCH_KINDS = ['job', 'sandbox', 'profile', 'pod', 'credential', 'person', 'activity'] as const;

export const SearchHit = z.object({
  kind: z.enum(SEARCH_KINDS),
  id: z.string(),
  title: z.string(),
  detail: z.string(),
  link: z.string(),
});
export type SearchHit = z.infer<typeof SearchHit>;

export const system = {
  info: read({ none: 'Clients ask it by themselves.' }, PUBLIC)
    .route({ method: 'GET', path: '/server', summary: 'What answers here' })
    .input(Empty)
    .output(ServerInfo),
  search: read('search {q}', WIDER)
    .route({ method: 'GET', path: '/search', summary: 'Find anything of mine by id or name' })
    .input(z.object({ q: z.string().trim().min(1).max(100) }))
    .output(z.object({ items: z.array(SearchHit) })),
};
