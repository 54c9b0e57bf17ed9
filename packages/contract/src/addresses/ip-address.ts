/** As inet_aton reads it, and so curl and ssh: one to four numbers, decimal, octal or hexadecimal. */
export function parseV4(text: string): number | null {
  const parts = text.split('.');
  if (parts.length > 4) return null;
  const numbers: number[] = [];
  for (const part of parts) {
    if (/^0x[0-9a-f]*$/i.test(part)) numbers.push(part.length === 2 ? 0 : Number.parseInt(part, 16));
    else if (/^0[0-7]*$/.test(part)) numbers.push(Number.parseInt(part, 8));
    else if (/^[1-9][0-9]*$/.test(part)) numbers.push(Number.parseInt(part, 10));
    else return null;
  }
  const last = numbers.pop() ?? 0;
  if (numbers.some((number) => number > 255) || last >= 256 ** (4 - numbers.length)) return null;
  return numbers.reduce((sum, number, at) => sum + number * 256 ** (3 - at), last);
}

/** Eight groups; null when it is no IPv6 address. A zone (%eth0) does not count. */
export function parseV6(text: string): number[] | null {
  const plain = text.replace(/%.*$/, '');
  if (!plain.includes(':') || !/^[0-9a-f:.]+$/i.test(plain)) return null;
  const halves = plain.split('::');
  if (halves.length > 2) return null;
  const [front, back] = halves.map(groupsOf);
  if (front === undefined || front === null || back === null) return null;
  if (back === undefined) return front.length === 8 ? front : null;
  const missing = 8 - front.length - back.length;
  return missing < 1 ? null : [...front, ...Array.from({ length: missing }, () => 0), ...back];
}

function groupsOf(half: string): number[] | null {
  if (half === '') return [];
  const groups: number[] = [];
  const parts = half.split(':');
  for (const [at, part] of parts.entries()) {
    if (part.includes('.') && at === parts.length - 1) {
      const v4 = parseV4(part);
      if (v4 === null) return null;
      groups.push(Math.floor(v4 / 65_536), v4 % 65_536);
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(Number.parseInt(part, 16));
    else return null;
  }
  return groups;
}
