/** `0 B`, `1.2 kB`, `3.4 MB`, `2 GB`: files and traffic. */
export const formatBytes = (bytes: number): string => scaled(bytes, 1000, ['B', 'kB', 'MB', 'GB', 'TB']);

/** `96 KiB`, `128 MiB`, `1.5 GiB`: memory and limits, which people set in powers of 1024, as they set them. */
export const sizeInWords = (bytes: number): string => scaled(bytes, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB']);

function scaled(bytes: number, step: number, units: readonly string[]): string {
  let value = bytes;
  let unit = 0;
  // What would be rounded up to a whole step is said in the next unit: `1 MB`, not `1000 kB`.
  while (value >= step - (unit === 0 ? 0 : 0.5) && unit < units.length - 1) {
    value /= step;
    unit += 1;
  }
  const text = unit === 0 || value >= 100 ? String(Math.round(value)) : value.toFixed(1).replace(/\.0$/, '');
  return `${text} ${units[unit]}`;
}
