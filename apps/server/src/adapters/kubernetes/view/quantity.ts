const FACTORS: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
  Ti: 1024 ** 4,
  Pi: 1024 ** 5,
  Ei: 1024 ** 6,
};

/** `100m`, `1.5`, `2e3`, `128Mi`, `12345n` as a number (Kubernetes API conventions, Quantity); null when it is none. */
export function quantity(text: unknown): number | null {
  if (typeof text === 'number') return text;
  if (typeof text !== 'string') return null;
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$/.exec(text);
  if (!match) return null;
  const number = Number(match[1]) * (FACTORS[match[2] ?? ''] ?? 1);
  // 0.1 + 0.2 of cores: what is below a thousandth is noise of the arithmetic, but for what metrics measure.
  return match[2] === 'n' || match[2] === 'u' ? number : Math.round(number * 1000) / 1000;
}
