import { HangarError } from '@hangar/contract/errors';

/**
 * bin/hangar hands the server commands to the server's own program before the command line is loaded, so that signals reach it
 * directly. Whoever gets here started the command line some other way.
 */
export function serverCommand(): never {
  throw new HangarError('usage', {
    message: 'The server is started by bin/hangar of a checkout.',
    wayOut: 'Run bin/hangar server start in the checkout of Hangar.',
  });
}
