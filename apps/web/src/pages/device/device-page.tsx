import { Page, PageHeader } from '../../components/page.tsx';

export function DevicePage() {
  return (
    <Page>
      <PageHeader title="Device" />
    </Page>
  );
}
