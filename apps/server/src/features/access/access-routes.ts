import { type Me, type Use, VERSION } from '@hangar/contract';
import { type RequestContext, signedIn } from '../../platform/http/identity.ts';
import { api } from '../../platform/http/routes.ts';
import type { Access } from './access.ts';
import { issuerOf } from './devices/token-issuer.ts';

/** Handlers of the contract's access operations. `useOf`: what a person uses now, as those who hold it count it. */
export function accessRoutes(access: Access, o: { useOf: (userId: string) => Promise<Use> }) {
  const { people, sessions, apiKeys, devices, plans } = access;
  const done = { done: true } as const;
  const me = (context: RequestContext): string => signedIn(context).userId;

  return {
    signIn: api.access.signIn.handler(async ({ input, context }) => {
      const { person, setCookie } = await people.signIn(input, context);
      context.setCookie(setCookie);
      return person;
    }),
    signInByLink: api.access.signInByLink.handler(async ({ input, context }) => {
      const { person, setCookie } = await people.signInByLink(input.token, context);
      context.setCookie(setCookie);
      return person;
    }),
    signOut: api.access.signOut.handler(async ({ context }) => {
      context.setCookie(await sessions.end(context.cookie));
      return done;
    }),
    lookAtInvite: api.access.lookAtInvite.handler(({ input, context }) => people.lookAtInvite(input.token, context)),
    acceptInvite: api.access.acceptInvite.handler(async ({ input, context }) => {
      const { person, setCookie } = await people.acceptInvite(input, context);
      context.setCookie(setCookie);
      return person;
    }),

    me: api.access.me.handler(async ({ context }): Promise<Me> => {
      const identity = signedIn(context);
      const [user, plan, use] = await Promise.all([
        people.find(identity.userId),
        plans.ofPerson(identity.userId),
        o.useOf(identity.userId),
      ]);
      // Every page asks this first, so the cookie lives on as the session does.
      const renewed = identity.kind === 'session' ? sessions.renewed(context.cookie) : null;
      if (renewed !== null) context.setCookie(renewed);
      return {
        user,
        plan,
        use,
        identity: {
          kind: identity.kind,
          name: identity.label,
          expiresAt: identity.expiresAt?.toISOString() ?? null,
        },
        server: { version: VERSION, url: issuerOf(access.publicUrl) },
      };
    }),
    updateMe: api.access.updateMe.handler(({ input, context }) => people.change(me(context), input)),
    setPassword: api.access.setPassword.handler(async ({ input, context }) => {
      await people.setPassword(me(context), input, context.cookie);
      return done;
    }),
    signOutEverywhere: api.access.signOutEverywhere.handler(async ({ context }) => {
      await sessions.endOthers(me(context), undefined);
      await devices.removeAll(me(context));
      context.setCookie(await sessions.end(context.cookie));
      return done;
    }),

    listApiKeys: api.access.listApiKeys.handler(async ({ context }) => ({ items: await apiKeys.list(me(context)) })),
    createApiKey: api.access.createApiKey.handler(({ input, context }) => apiKeys.create(me(context), input)),
    removeApiKey: api.access.removeApiKey.handler(async ({ input, context }) => {
      await apiKeys.remove(me(context), input.id);
      return done;
    }),

    listDevices: api.access.listDevices.handler(async ({ context }) => ({ items: await devices.list(me(context)) })),
    removeDevice: api.access.removeDevice.handler(async ({ input, context }) => {
      await devices.remove(me(context), input.id);
      return done;
    }),
    lookAtDevice: api.access.lookAtDevice.handler(({ input, context }) =>
      devices.lookAt(me(context), input.userCode, context.place),
    ),
    decideDevice: api.access.decideDevice.handler(({ input, context }) =>
      devices.decide(me(context), input.userCode, input.approve, context.place),
    ),

    listPeople: api.access.listPeople.handler(async () => ({ items: await people.list() })),
    updatePerson: api.access.updatePerson.handler(({ input }) => people.update(input.id, input)),
    createSignInLink: api.access.createSignInLink.handler(async ({ input, context }) => {
      const { url, expiresAt } = await people.createSignInLink(input.id, me(context));
      return { url, expiresAt: expiresAt.toISOString() };
    }),
    listInvites: api.access.listInvites.handler(async () => ({ items: await people.listInvites() })),
    createInvite: api.access.createInvite.handler(({ input, context }) => {
      const { userId, userName } = signedIn(context);
      return people.createInvite({ id: userId, name: userName }, input.role);
    }),
    removeInvite: api.access.removeInvite.handler(async ({ input }) => {
      await people.removeInvite(input.id);
      return done;
    }),
    listPlans: api.access.listPlans.handler(async () => ({ items: await plans.list() })),
    putPlan: api.access.putPlan.handler(({ input }) => plans.put(input)),
  };
}
