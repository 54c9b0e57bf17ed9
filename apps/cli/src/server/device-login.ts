import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { DEVICE_GRANT, DeviceAuthorization } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { errorOf, isPassing, send } from './http.ts';
import type { Link } from './link.ts';
import { oauthForm, readTokenAnswer } from './oauth.ts';
import type { Tokens } from './sign-ins.ts';

/** Asks a server for a device code (RFC 8628 §3.1). The name lets the person recognise this program on the approval page. */
export async function askForDevice(link: Link, signal: AbortSignal): Promise<DeviceAuthorization> {
  const name = `hangar on ${hostname()}`;
  const response = await send(
    link,
    '/api/auth/device',
    { method: 'POST', body: () => oauthForm({ client_name: name }) },
    signal,
  );
  if (!response.ok) throw await errorOf(link, response);
  const answer = DeviceAuthorization.safeParse(await response.json().catch(() => null));
  if (answer.success) return answer.data;
  throw new HangarError('server_unreachable', {
    message: `What answers at ${link.server} is not a Hangar server.`,
    wayOut: 'Check the address: --server URL or HANGAR_SERVER.',
  });
}

/**
 * Polls until the person has decided (RFC 8628 §3.4 and §3.5): slow_down adds 5 s, a broken connection doubles the pause.
 * @throws HangarError not_signed_in when denied or expired
 */
export async function waitForApproval(link: Link, device: DeviceAuthorization, signal: AbortSignal): Promise<Tokens> {
  const deadline = Date.now() + device.expires_in * 1000;
  let pause = Math.max(1, device.interval) * 1000;
  while (Date.now() + pause < deadline + 5000) {
    await sleep(pause, undefined, { signal });
    const response = await send(
      link,
      '/api/auth/token',
      { method: 'POST', body: () => oauthForm({ grant_type: DEVICE_GRANT, device_code: device.device_code }) },
      signal,
    ).catch((error: unknown) => {
      if (isPassing(error)) return null;
      throw error;
    });
    if (response === null || response.status === 429 || response.status >= 500) {
      response?.discard();
      pause = Math.min(pause * 2, 60_000);
      continue;
    }
    const result = await readTokenAnswer(response);
    if (result?.ok) return result.tokens;
    if (result?.error === 'authorization_pending') continue;
    if (result?.error === 'slow_down') {
      pause += 5000;
      continue;
    }
    if (result?.error === 'access_denied')
      throw new HangarError('not_signed_in', {
        message: 'The sign-in was denied in the browser.',
        wayOut: 'If that was a mistake, run hangar cloud login again.',
      });
    if (result?.error === 'expired_token') break;
    throw new HangarError('bad_request', {
      message: `The server refused the sign-in: ${result?.description ?? result?.error ?? `status ${response.status}`}.`,
      wayOut: 'Run hangar cloud login again.',
    });
  }
  throw new HangarError('not_signed_in', {
    message: 'The code has expired before anybody approved it.',
    wayOut: 'Run hangar cloud login again and approve within the time shown.',
  });
}
