import { HangarError } from '@hangar/contract';
import { createRemotePrograms } from '../brought/remote/programs.ts';
import type { Brought } from '../port/brought.ts';
import type { Talk } from './talk.ts';
import type { Programs } from './types.ts';

/** In the home of its account, as on machines of a backend's own: what is brought is there once. */
const FOLDER = '~/.hangar';

/** Its own folder, where its driver gave it one; the home of its account where it begins at the root, or may not write. */
const WORK_FOLDER = `at=$(pwd -P) && [ "$at" != / ] && [ -w "$at" ] || at=$(cd -- "$HOME" && pwd -P) || exit 1
[ -w "$at" ] || exit 1
printf %s "$at"`;

export function createPrograms(talk: Talk, brought: Pick<Brought, 'programs' | 'nodeFile'>): Programs {
  const place = { folder: FOLDER, instanceId: 'hand' };
  const programs = createRemotePrograms(brought, { place, ownNode: true, stays: true });
  return {
    command: (name, o) => programs.command(talk.ask, name, o),
    async workFolder({ signal }) {
      const { code, output, error } = await talk.ask(WORK_FOLDER, [], { signal });
      const at = output.toString('utf8');
      if (code === 0 && at.startsWith('/')) return at;
      throw new HangarError('image_unsuitable', {
        message: `The machine has no folder that its account may write to. ${error}`.trim(),
        wayOut: 'Give its account a home folder.',
      });
    },
  };
}
