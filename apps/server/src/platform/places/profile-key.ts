/**
 * How rows name a profile: one of the server by its name, a personal one by its owner and name. No name has a `/` in it, so nobody can
 * ask for another's by name; people never see the key.
 */
export const profileKey = (userId: string | null, name: string): string =>
  userId === null ? name : `${userId}/${name}`;

/** What people call it. */
export const profileName = (key: string): string => key.slice(key.indexOf('/') + 1);

/** Whose it is; null: the server's. */
export const profileOwner = (key: string): string | null => {
  const at = key.indexOf('/');
  return at === -1 ? null : key.slice(0, at);
};
