export { processesInside, processMarkedWith, readMarkers } from './environment.ts';
export { signalTo } from './signals.ts';
export { bootId, isSame, listProcesses, type ProcessEntry, type ProcessIdentity } from './table.ts';
