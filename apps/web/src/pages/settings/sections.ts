export interface SettingsSection {
  /** The end of the path; empty for the first. */
  id: string;
  label: string;
  group: 'Account' | 'Server';
  adminOnly: boolean;
}

export const SECTIONS: readonly SettingsSection[] = [
  { id: '', label: 'You', group: 'Account', adminOnly: false },
  { id: 'use', label: 'Plan and use', group: 'Account', adminOnly: false },
  { id: 'devices', label: 'Devices', group: 'Account', adminOnly: false },
  { id: 'keys', label: 'API keys', group: 'Account', adminOnly: false },
  { id: 'credentials', label: 'Credentials', group: 'Account', adminOnly: false },
  { id: 'profiles', label: 'Profiles', group: 'Server', adminOnly: false },
  { id: 'people', label: 'People', group: 'Server', adminOnly: true },
  { id: 'plans', label: 'Plans', group: 'Server', adminOnly: false },
];
