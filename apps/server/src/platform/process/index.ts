export { processesInside, processMarkedWith, readMarkers } from './environment.ts';
export { orAborted } from './or-aborted.ts';
export { signalTo } from './signal.ts';
export { bootId, isSame, listProcesses, type ProcessEntry, type ProcessIdentity } from './table.ts';
