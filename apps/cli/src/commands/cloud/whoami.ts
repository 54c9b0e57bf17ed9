import { plural } from '@hangar/contract/words/number';
import { formatSeconds, relativeTime } from '@hangar/contract/words/time';
import { defineCommand, globalFlags } from '../../command.ts';
import { personWords } from '../../terminal/words.ts';

export const command = defineCommand({
  brief: 'Who you are, on which server, and what you may use',
  examples: [
    ['cloud whoami', 'you, your plan, and what is used of it'],
    ['cloud whoami --json', 'the same for programs'],
  ],
  json: 'What GET /users/me answers: {"user", "plan", "use", "identity", "server"}, with "address" and "signedInBy" (environment or sign-in) added.',
  parameters: { flags: globalFlags },
  async run(flags) {
    const api = await this.api(flags.server);
    const me = await api.client.access.me({});
    if (flags.json) return this.terminal.json({ ...me, address: api.server, signedInBy: api.identity });
    const { plan, use, identity, user } = me;
    const minutes = Math.round(use.minutesThisMonth);
    const rows = [
      ['You', `${personWords(user)}, ${user.role}`],
      ['Server', `${api.server} (version ${me.server.version})`],
      [
        'Signed in',
        `by ${{ token: 'this device', apiKey: 'API key', session: 'browser' }[identity.kind]} ${identity.name}${
          api.identity === 'environment' ? ' from HANGAR_TOKEN' : ''
        }${identity.expiresAt === null ? '' : `, ends ${relativeTime(identity.expiresAt)}`}`,
      ],
      [
        'Plan',
        `${plan.title}: ${plural(plan.jobsAtOnce, 'job')} at once, at most ${formatSeconds(plan.maxTimeoutSeconds)} each`,
      ],
      ['Jobs', `${use.jobsRunning} of ${plan.jobsAtOnce} running, ${use.jobsWaiting} of ${plan.jobsWaiting} waiting`],
      ['Sandboxes', `${use.sandboxesOpen} of ${plan.sandboxesAtOnce} open`],
      [
        'This month',
        `${minutes} min${plan.minutesPerMonth === null ? ', no limit' : ` of ${plan.minutesPerMonth} min`}, starts again ${relativeTime(use.periodEndsAt)}`,
      ],
    ];
    this.terminal.rows(rows);
    this.terminal.next('hangar run --cloud --spec SPEC.md', 'hangar jobs');
  },
});
