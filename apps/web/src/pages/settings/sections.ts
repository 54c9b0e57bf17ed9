export interface SettingsSection {
  /** The end of the path; empty for the first. */
  id: string;
  label: string;
  group: 'You' | 'This server';
  adminOnly: boolean;
}

export const SECTIONS: readonly SettingsSection[] = [
  { id: '', label: 'You', group: 'You', adminOnly: false },
  { id: 'use', label: 'Plan and use', group: 'You', adminOnly: false },
  { id: 'devices', label: 'Devices', group: 'You', adminOnly: false },
  { id: 'keys', label: 'API keys', group: 'You', adminOnly: false },
  { id: 'credentials', label: 'Credentials', group: 'You', adminOnly: false },
  { id: 'profiles', label: 'Profiles', group: 'This server', adminOnly: false },
  { id: 'people', label: 'People', group: 'This server', adminOnly: true },
  { id: 'plans', label: 'Plans', group: 'This server', adminOnly: false },
];
