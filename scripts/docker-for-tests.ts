/**
 * Prints a Docker Engine for tests as JSON: {host, image, network}, or {skipped}. It stays while the process lives that
 * is named by number, or else the one that called this.
 *
 *   node scripts/docker-for-tests.ts [PID]
 */
import { dockerForTests } from '../packages/sandbox/src/drivers/docker/testing/index.ts';

const lease = Number(process.argv[2] ?? process.ppid);
process.stdout.write(`${JSON.stringify(await dockerForTests({ lease }))}\n`);
