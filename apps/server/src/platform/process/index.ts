export { processesInside, processMarkedWith, readMarkers } from './environment.ts';
export { orAborted, signalTo, within } from './signals.ts';
export { bootId, isSame, listProcesses, type ProcessEntry, type ProcessIdentity } from './table.ts';
