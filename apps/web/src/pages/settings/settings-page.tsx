import { useParams } from '@tanstack/react-router';
import type { ComponentType } from 'react';
import { useMe } from '../../api/client.tsx';
import { MissingPage } from '../../shell/crash.tsx';
import {
  CredentialsSection,
  DevicesSection,
  KeysSection,
  PeopleSection,
  PlansSection,
  ProfilesSection,
  UseSection,
  YouSection,
} from './sections.tsx';
import { SettingsFrame } from './settings-frame.tsx';

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
