export { type FaultyLink, faultyLink } from './faulty-link.ts';
export { installObjectStore, type ObjectStore, objectStoreForTests } from './object-store.ts';
