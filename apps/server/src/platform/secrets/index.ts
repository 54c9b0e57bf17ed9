export { rotateMasterKey } from './rotation.ts';
export { type Binding, type SealedColumn, type SealedElsewhere, sealedSetting } from './sealed-column.ts';
export { Secret } from './secret.ts';
export { openSecrets, type Secrets, sealedValue } from './secrets.ts';
export { hashToken, newId, newToken, sameToken } from './token.ts';
