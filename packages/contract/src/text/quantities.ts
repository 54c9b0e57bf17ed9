/** Times and sizes as people write them; `words/` says them back. No schema: commands read them and must start fast. */

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };
const BYTES: Record<string, number> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

/** `90`, `90s`, `15m`, `2h`, `1d`, `1h30m` → seconds; null when it is none of these. */
export function parseDuration(text: string): number | null {
  const whole = text.trim().toLowerCase();
  if (/^\d+$/.test(whole)) return Number(whole);
  if (!/^(\d+(\.\d+)?[smhd])+$/.test(whole)) return null;
  let seconds = 0;
  for (const [, count, unit] of whole.matchAll(/(\d+(?:\.\d+)?)([smhd])/g))
    seconds += Number(count) * (UNITS[unit ?? ''] ?? 0);
  return Math.round(seconds);
}

/** `512m`, `2g`, `2GiB`, `1073741824` → bytes (powers of 1024); null when it is none of these. */
export function parseBytes(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/.exec(text.trim().toLowerCase());
  if (!match) return null;
  return Math.round(Number(match[1]) * (BYTES[match[2] ?? ''] ?? 1));
}
