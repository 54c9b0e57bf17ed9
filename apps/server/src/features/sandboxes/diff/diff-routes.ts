import { rawOperations, SandboxDiff, SandboxId } from '@hangar/contract';
import { z } from 'zod';
import { signedIn } from '../../../platform/http/identity.ts';
import { parseInput, type RawRoutes, serveRaw } from '../../../platform/http/routes.ts';
import type { SandboxDiffs } from './sandbox-diffs.ts';

const Params = z.object({ id: SandboxId, diff: SandboxDiff.shape.diff });

/** The text of a diff, as the machine has it. */
export function diffRoutes(diffs: Pick<SandboxDiffs, 'read'>): RawRoutes {
  return (app) => {
    serveRaw(app, rawOperations.trees.diff, async (request, reply) => {
      const { id, diff } = parseInput(Params, request.params);
      const body = await diffs.read(signedIn(request.caller), id, diff, request.caller.signal);
      // What lies in a sandbox is hostile: it is never shown as a page of this site.
      reply
        .type('text/plain; charset=utf-8')
        .header('content-disposition', `attachment; filename="${id}.diff"`)
        .header('content-security-policy', "default-src 'none'; sandbox");
      return reply.send(body);
    });
  };
}
