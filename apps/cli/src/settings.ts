import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { HangarError } from '@hangar/contract/errors';

export const DEFAULT_SERVER = 'http://127.0.0.1:7070';

/** Everything the command line takes from its surroundings. Read once, in program.ts. */
export interface Settings {
  readonly cwd: string;
  readonly configDir: string;
  /** The configuration folder was named by HANGAR_CONFIG_DIR: its tokens are kept apart from those of the usual one. */
  readonly ownConfigDir: boolean;
  readonly serverFromEnv: string | undefined;
  readonly tokenFromEnv: string | undefined;
  readonly canOpenBrowser: boolean;
  readonly overSsh: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export function readSettings(env: Readonly<Record<string, string | undefined>>, cwd: string): Settings {
  const given = env.HANGAR_CONFIG_DIR;
  const xdg = env.XDG_CONFIG_HOME;
  return {
    cwd,
    configDir: given
      ? isAbsolute(given)
        ? given
        : join(cwd, given)
      : join(xdg && isAbsolute(xdg) ? xdg : join(env.HOME || homedir(), '.config'), 'hangar'),
    ownConfigDir: Boolean(given),
    serverFromEnv: env.HANGAR_SERVER || undefined,
    // A variable that was filled from a file often ends with the line end of it.
    tokenFromEnv: env.HANGAR_TOKEN?.trim() || undefined,
    canOpenBrowser:
      process.platform === 'darwin' || process.platform === 'win32' || Boolean(env.DISPLAY || env.WAYLAND_DISPLAY),
    overSsh: Boolean(env.SSH_CONNECTION),
    env,
  };
}

/** What stands in the way of a text that should be one token, which goes into a header; null when it can be. Never repeats it. */
export function whyNoToken(text: string): string | null {
  if (/\s/.test(text)) return 'holds more than one word or line, so more than one API key';
  return /^[\x21-\x7e]+$/.test(text) ? null : 'holds characters that no API key has';
}

/**
 * A server as it is stored and compared: origin and path, no slash at the end.
 * @throws HangarError usage
 */
export function serverUrl(text: string): string {
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  let url: URL;
  try {
    url = new URL(whole);
  } catch {
    throw new HangarError('usage', {
      message: `${JSON.stringify(text)} is not the address of a server.`,
      wayOut: `Give it like ${DEFAULT_SERVER} or https://hangar.example.org`,
    });
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new HangarError('usage', {
      message: `A server is reached by http:// or https://, not ${url.protocol}//.`,
      wayOut: `Give it like ${DEFAULT_SERVER}`,
    });
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}
