import { FakeServer } from './fake-server.ts';
import { Desk } from './hangar.ts';

export interface DeskAtServer {
  readonly server: FakeServer;
  readonly desk: Desk;
  leave(): Promise<void>;
}

/** A desk with the key of a server of its own, and these files. */
export async function deskAtServer(files: Readonly<Record<string, string>> = {}): Promise<DeskAtServer> {
  const server = await new FakeServer().start();
  const desk = new Desk({ HANGAR_SERVER: server.url, HANGAR_TOKEN: server.apiKey });
  for (const [name, text] of Object.entries(files)) desk.write(name, text);
  return {
    server,
    desk,
    async leave() {
      await server.stop();
      desk.dispose();
    },
  };
}
