import { HangarError } from '@hangar/contract/errors';
import { defineCommand, type GlobalFlags, globalFlags, yes } from '../../command.ts';

interface Flags extends GlobalFlags {
  readonly all: boolean;
}

export const command = defineCommand<Flags>({
  brief: 'Sign out, here and on the server',
  examples: [
    ['cloud logout', 'signs out of the default server'],
    ['cloud logout --all', 'signs out of every server'],
  ],
  about: [
    'The sign-in is revoked on the server and removed from this machine. An API key that was used to sign in stays valid; revoke it with hangar keys remove.',
  ],
  json: '{"items": [{"server", "revoked"}]}: revoked is false where the server could not be reached or an API key was used.',
  parameters: { flags: { all: yes('Every server'), ...globalFlags } },
  async run(flags) {
    const { terminal, settings, signal } = this;
    const [{ chooseServer }, { openLink }, { openSignIns }, { send }, { oauthForm }] = await Promise.all([
      import('../../server/api.ts'),
      import('../../server/link.ts'),
      import('../../server/sign-ins.ts'),
      import('../../server/http.ts'),
      import('../../server/oauth.ts'),
    ]);
    const signIns = openSignIns(settings, signal);
    const servers = flags.all
      ? (await signIns.list()).map(({ server }) => server)
      : [await chooseServer({ settings, signal, server: flags.server })];
    const items: { server: string; revoked: boolean }[] = [];
    for (const server of servers) {
      if ((await signIns.find(server)) === null)
        throw new HangarError('not_signed_in', {
          message: `You are not signed in to ${server}.`,
          wayOut: 'Nothing to do.',
        });
      const tokens = await signIns.tokens(server).catch(() => null);
      const token = tokens?.refreshToken;
      const revoked =
        token !== undefined &&
        (await send(
          openLink(server, settings.env),
          '/api/auth/revoke',
          { method: 'POST', body: () => oauthForm({ token, token_type_hint: 'refresh_token' }) },
          signal,
        ).then(
          (response) => response.ok,
          () => false,
        ));
      await signIns.remove(server);
      items.push({ server, revoked });
      if (!flags.json) terminal.out(`Signed out of ${server}.`);
      if (!revoked && token !== undefined)
        terminal.warn(`${server} could not be told; the sign-in ends there by itself or under Settings, Devices.`);
      if (tokens?.kind === 'apiKey') terminal.note('The API key itself stays valid. Revoke it: hangar keys remove ID');
    }
    if (flags.json) terminal.json({ items });
    terminal.next('hangar cloud login');
  },
});
