import { rawOperations, SandboxQuery } from '@hangar/contract';
import { openEventStream } from '../../../platform/http/event-stream.ts';
import { signedIn } from '../../../platform/http/identity.ts';
import { api, parseInput, type RawRoutes, serveRaw } from '../../../platform/http/routes.ts';
import type { OwnMachines } from '../files/own-machine.ts';
import type { LoadLive } from './load-live.ts';

const HEARTBEAT_MS = 15_000;
/** A reader this far behind is cut off; it comes back and is shown what is then. */
const MAX_BEHIND_BYTES = 256 * 1024;

export const machinesRoutes = (own: OwnMachines) => ({
  platform: api.machines.platform.handler(async ({ input, context }) => {
    const hand = await own.enter(signedIn(context), input.sandbox, context.signal);
    const { gnu: _, terminal: __, ...platform } = await hand.platform({ signal: context.signal });
    return platform;
  }),
});

/** What a machine uses, live. Whoever begins to look uses it; a page that is left open does not keep it for ever. */
export function loadRoutes(o: {
  readonly own: OwnMachines;
  readonly live: LoadLive;
  readonly touch: (id: string) => Promise<void>;
}): RawRoutes {
  return (app) => {
    app.addHook('preClose', async () => o.live.close());

    serveRaw(app, rawOperations.machines.resources, async (request, reply) => {
      const { sandbox } = parseInput(SandboxQuery, request.query);
      await o.own.row(signedIn(request.caller), sandbox);
      await o.touch(sandbox);
      const response = openEventStream(reply);
      if (response.destroyed) return;
      const heartbeat = setInterval(() => response.write('event: alive\ndata: {}\n\n'), HEARTBEAT_MS);
      const leave = o.live.join(sandbox, {
        write: (frame) => {
          if (response.writableLength > MAX_BEHIND_BYTES) response.destroy();
          else response.write(frame);
        },
        end: () => response.end(),
      });
      response.once('close', () => {
        clearInterval(heartbeat);
        leave();
      });
    });
  };
}
