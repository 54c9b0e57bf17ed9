import { rawOperations, TerminalQuery } from '@hangar/contract';
import { signedIn } from '../../../platform/http/identity.ts';
import { parseInput, type RawRoutes } from '../../../platform/http/routes.ts';
import { serveWebSocket } from '../../../platform/http/web-sockets.ts';
import type { Terminals } from './terminals.ts';

/** The way into the terminal of an execution. */
export const terminalRoutes =
  (terminals: Terminals): RawRoutes =>
  (app) =>
    serveWebSocket(app, rawOperations.sandboxes.terminal, {
      async enter(request) {
        const { execution, ...asked } = parseInput(TerminalQuery, request.query);
        return { row: await terminals.enter(signedIn(request.caller), execution), asked };
      },
      serve: (socket, { row, asked }) => terminals.serve(socket, row, asked),
    });
