import { useParams } from '@tanstack/react-router';
import type { ComponentType } from 'react';
import { useMe } from '../../api/me.ts';
import { MissingPage } from '../../shell/crash.tsx';
import { CredentialsSection } from './credentials-section.tsx';
import { DevicesSection } from './devices-section.tsx';
import { KeysSection } from './keys-section.tsx';
import { PeopleSection } from './people-section.tsx';
import { PlansSection } from './plans-section.tsx';
import { ProfilesSection } from './profiles-section.tsx';
import { SettingsFrame } from './settings-frame.tsx';
import { UseSection } from './use-section.tsx';
import { YouSection } from './you-section.tsx';

const BY_ID: Record<string, ComponentType> = {
  '': YouSection,
  use: UseSection,
  devices: DevicesSection,
  keys: KeysSection,
  credentials: CredentialsSection,
  profiles: ProfilesSection,
  people: PeopleSection,
  plans: PlansSection,
};

export function SettingsPage() {
  const { section = '' } = useParams({ strict: false });
  const me = useMe();
  const Section = BY_ID[section];
  if (!Section) return <MissingPage />;
  return (
    <SettingsFrame current={section} isAdmin={me.data?.user.role === 'admin'}>
      <Section />
    </SettingsFrame>
  );
}
