import { describe, expect, it } from 'vitest';
import { asHangarError, isMissing } from './errors.ts';

const thrown = (statusCode: number | undefined, message: string, headers: object = {}) =>
  Object.assign(new Error(message), { name: 'DaytonaError', statusCode, headers });
const about = { host: 'api.example', doing: 'make a sandbox', key: 'dtn_key' };

describe('what Daytona says', () => {
  it.each([
    [401, 'Invalid credentials', 'driver_auth_failed'],
    [403, 'Forbidden resource', 'driver_auth_failed'],
    [403, 'Total CPU limit exceeded. Maximum allowed: 4500.', 'driver_quota'],
    [403, 'Sandbox resource limit reached (16), please try again later.', 'driver_quota'],
    [400, 'Disk request 90GB exceeds maximum allowed per sandbox (10GB).\nNeed higher limits?', 'driver_quota'],
    [403, 'Organization is suspended: Depleted credits', 'driver_quota'],
    [402, 'Payment required', 'driver_quota'],
    [429, 'Total CPU limit exceeded', 'driver_busy'],
    [409, 'Sandbox state change in progress', 'driver_busy'],
    [400, 'write: disk quota exceeded', 'disk_full'],
    [400, 'labels must be an object', 'launch_failed'],
    [408, 'command execution timeout', 'driver_unavailable'],
    [500, 'Internal server error', 'driver_unavailable'],
    [503, '<html><body>maintenance</body></html>', 'driver_unavailable'],
    [401, '  <!DOCTYPE html><html>sign in</html>', 'driver_unavailable'],
    [undefined, 'connect ECONNREFUSED', 'driver_unavailable'],
    [undefined, 'Unexpected server response: 401', 'driver_auth_failed'],
    [undefined, 'Unexpected server response: 502', 'driver_unavailable'],
  ])('%s %s: %s', (status, message, code) => {
    expect(asHangarError(thrown(status, message), about)).toMatchObject({
      ...{ code, message: expect.stringContaining('api.example') },
    });
  });

  it('is of the image where one was named', () => {
    const image = { ...about, image: 'debian:99' };
    for (const [status, message] of [
      [404, 'Snapshot debian:99 not found'],
      [400, 'Failed to build: manifest for image debian:99 not found'],
    ] as const) {
      expect(asHangarError(thrown(status, message), image).code).toBe('image_not_found');
      expect(asHangarError(thrown(status, message), about).code).toBe('launch_failed');
    }
  });

  it('is short, on one line and without the key', () => {
    const { message } = asHangarError(thrown(500, `dtn_key\n\u001b[31m${'x'.repeat(5_000)}`), about);
    expect(message).toMatch(/^[^\n\u001b]*\*\*\*[^\n\u001b]*$/);
    expect(message.length).toBeLessThan(500);
    expect(message).not.toContain('dtn_key');
  });

  it('names a pause in seconds or as a date, never longer than an hour', () => {
    const pause = (headers: object) => asHangarError(thrown(429, '', headers), about).details?.retryAfterMs;
    expect(pause({ 'retry-after': '3', 'retry-after-authenticated': '9' })).toBe(9_000);
    expect(pause({ 'retry-after': new Date(Date.now() + 86_400_000).toUTCString() })).toBe(3_600_000);
    expect(pause({ 'retry-after': 'soon' })).toBeUndefined();
  });

  it('proves that there is none only in its own words', () => {
    expect(isMissing(thrown(404, 'not found', { 'content-type': 'application/json; charset=utf-8' }))).toBe(true);
    expect(isMissing(thrown(404, '404 page not found', { 'content-type': 'text/plain' }))).toBe(false);
    expect(isMissing(thrown(404, 'not found'))).toBe(false);
    expect(isMissing(thrown(410, 'gone', { 'content-type': 'application/json' }))).toBe(false);
  });
});
