/** A program of one file, plain JavaScript that Node 20 runs alone: a file of this machine, or its text. */
export type ProgramFile = { readonly file: string } | { readonly text: string };

/**
 * What every driver is given when it is made: the programs that units may run, the Node that runs them, and how what runs there
 * reaches this server. How that gets to a unit (a volume, a ConfigMap, an upload) is the driver's.
 */
export interface Brought {
  /** By the name that `Program` says: small letters, digits and dashes. What a profile's test runs is there without being named. */
  readonly programs: Readonly<Record<string, ProgramFile>>;
  /** The Node binary of this machine. */
  readonly nodeFile: string;
  /** Base URL on loopback, the public URL, or the one that leads to all servers. Worker routes are below `/api/worker`. */
  readonly httpUrl: string;
  /**
   * Folder with `worker.sock`, a unix socket that serves only `/api/worker`. Mounted as a folder: the socket is made anew at each
   * start. Null where units are to reach any of several servers: then all of them use the URL.
   */
  readonly socketDir: string | null;
  /** Random id of this Hangar instance, kept in the database: the owner label of everything made. */
  readonly instanceId: string;
}
