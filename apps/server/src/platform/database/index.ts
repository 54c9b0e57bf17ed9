export { connectBeside } from './backup/beside.ts';
export { type Load, openLoad } from './backup/load.ts';
export { type Reached, reachDatabase } from './backup/reach.ts';
export { openSnapshot, type Snapshot, type TableInfo } from './backup/snapshot.ts';
export { whileNoBackup } from './backup/while-no-backup.ts';
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
export { type SettingsStore, settingsStore } from './settings-store.ts';
