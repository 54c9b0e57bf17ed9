import { lstat, readFile } from 'node:fs/promises';
import { HangarError } from '@hangar/contract';

/** The system user that PostgreSQL runs as when the server itself is root, which PostgreSQL refuses to be. */
export interface Account {
  uid: number;
  gid: number;
}

/** Null: run as ourselves. As root: the owner of the cluster when there is one, else the first unprivileged user. */
export async function accountFor(cluster: string): Promise<Account | null> {
  if (process.getuid?.() !== 0) return null;
  const stat = await lstat(cluster).catch(() => null);
  if (stat && stat.uid !== 0) return { uid: stat.uid, gid: stat.gid };

  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const lines = passwd.split('\n').map((line) => line.split(':'));
  for (const wanted of ['hangar', 'postgres', 'nobody']) {
    const line = lines.find(([name]) => name === wanted);
    const uid = Number(line?.[2]) >>> 0; // macOS writes -2
    const gid = Number(line?.[3]) >>> 0;
    if (uid > 0 && gid > 0) return { uid, gid };
  }
  throw new HangarError('data_dir_unusable', {
    message: 'The built-in PostgreSQL cannot run as root, and there is no user "hangar", "postgres" or "nobody".',
    wayOut: 'Start the server as an ordinary user, or set HANGAR_DATABASE_URL.',
  });
}
