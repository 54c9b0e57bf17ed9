export { connectBeside } from './beside.ts';
export { type Database, type Db, openDatabase, type Tx } from './database.ts';
export {
  isConnectionLoss,
  isDiskFull,
  isForeignKeyViolation,
  isOutOfFiles,
  isUniqueViolation,
  isUnstorable,
  sqlState,
} from './errors.ts';
export { type Load, openLoad } from './load.ts';
export { type Reached, reachDatabase } from './reach.ts';
export { type SettingsStore, settingsStore } from './settings-store.ts';
export { openSnapshot, type Snapshot, type TableInfo } from './snapshot.ts';
export { whileNoBackup } from './while-no-backup.ts';
