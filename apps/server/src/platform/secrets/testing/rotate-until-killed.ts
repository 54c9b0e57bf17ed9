// A command that changes the master key and is killed in the middle: says how far it is and then does nothing more.

import { connectBeside, settingsStore } from '../../database/index.ts';
import { rotateMasterKey, type SealedColumn } from '../index.ts';

const [url = '', keyFile = '', table = ''] = process.argv.slice(2);
const column: SealedColumn = {
  ...{ table, id: 'id', column: 'value' },
  bindingOf: ({ id }) => ({ table, owner: 'server', row: id, field: 'value' }),
};
const { db, query } = await connectBeside({ connectionString: url });
await rotateMasterKey({
  ...{ keyFile, query, settings: settingsStore(db), columns: [column], several: false, forget: false },
  signal: AbortSignal.timeout(60_000),
  say(words) {
    process.stdout.write(`${words}\n`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000);
  },
});
