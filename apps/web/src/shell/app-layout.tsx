import { Outlet } from '@tanstack/react-router';
import { LiveProvider } from '../api/live.tsx';
import { useMe } from '../api/me.ts';

export function AppLayout() {
  const me = useMe();
  return (
    <LiveProvider enabled={me.data !== undefined}>
      <Outlet />
    </LiveProvider>
  );
}
