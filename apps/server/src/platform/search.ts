import type { SearchHit } from '@hangar/contract';
import type { Caller } from './http/identity.ts';

/** Finds things of one noun for a person, by a text in lower case. Each looks only at what that person may see. */
export type SearchSource = (caller: Caller, text: string) => Promise<SearchHit[]>;
