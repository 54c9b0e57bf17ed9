export { type Database, type Db, openDatabase, type Tx } from './database.ts';
export {
  isConnectionLoss,
  isDiskFull,
  isForeignKeyViolation,
  isUniqueViolation,
  isUnstorable,
  sqlState,
} from './errors.ts';
export { type SettingsStore, settingsStore } from './settings-store.ts';
