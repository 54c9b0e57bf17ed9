export { rotateMasterKey } from './rotation.ts';
export { type SealedColumn, sealedSetting, sealedValue } from './sealed-column.ts';
export { Secret } from './secret.ts';
export { type Binding, openSecrets, type Secrets } from './secrets.ts';
export { hashToken, newId, newToken, sameToken } from './token.ts';
