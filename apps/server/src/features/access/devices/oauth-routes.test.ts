import { pino } from 'pino';
import { expect, it } from 'vitest';
import { createApp } from '../../../platform/http/app.ts';
import type { Access } from '../access.ts';
import { oauthRoutes } from './oauth-routes.ts';

it.each(['', '/hangar', '/api', '/api-hangar', '/api/hangar'])(
  'is discovered where its address ends with %j',
  async (path) => {
    const issuer = `https://example.org${path}`;
    const app = await createApp({
      ...{ router: {}, rawRoutes: [oauthRoutes({ publicUrl: issuer, tokens: {} } as Access)] },
      identify: async () => null,
      refuseForeignOrigin: () => undefined,
      isDraining: () => false,
      ...{ log: pino({ level: 'silent' }), trustProxy: false, secure: false, webDir: null },
    });
    for (const url of [`/.well-known/oauth-authorization-server${path}`, `${path}/.well-known/openid-configuration`])
      expect((await app.inject({ url })).json(), url).toMatchObject({ issuer });
    await app.close();
  },
);
