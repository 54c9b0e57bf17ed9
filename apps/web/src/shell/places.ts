import {
  IconActivity,
  IconBox,
  IconBrain,
  IconBriefcase2,
  IconServer2,
  IconSettings,
  type TablerIcon,
} from '@tabler/icons-react';

export interface Place {
  to: string;
  label: string;
  Icon: TablerIcon;
  /** Pressed after `g`. */
  key: string;
  /** What it is for; shown where this version does not have it. */
  purpose: string;
  here: boolean;
}

export const PLACES: readonly Place[] = [
  {
    to: '/jobs',
    label: 'Jobs',
    Icon: IconBriefcase2,
    key: 'j',
    purpose: 'Send a repository and a spec to an agent somewhere else, watch it, pull the diff back.',
    here: true,
  },
  {
    to: '/sandboxes',
    label: 'Sandboxes',
    Icon: IconBox,
    key: 'b',
    purpose: 'Open an isolated remote machine, run commands in it live, and keep files in step both ways.',
    here: true,
  },
  {
    to: '/clusters',
    label: 'Clusters',
    Icon: IconServer2,
    key: 'c',
    purpose: 'Launch, watch, stop and destroy cloud servers through SkyPilot, with your own files mounted.',
    here: false,
  },
  {
    to: '/models',
    label: 'Models',
    Icon: IconBrain,
    key: 'm',
    purpose: 'Start a private chat UI and an OpenAI-compatible API on a GPU server.',
    here: false,
  },
  {
    to: '/operations',
    label: 'Operations',
    Icon: IconActivity,
    key: 'o',
    purpose: 'See what is being done right now, by whom, and how far it is, and the Kubernetes cluster beneath.',
    here: true,
  },
  {
    to: '/settings',
    label: 'Settings',
    Icon: IconSettings,
    key: 's',
    purpose: 'Your profile, API keys, credentials, profiles, people and plans.',
    here: true,
  },
];
