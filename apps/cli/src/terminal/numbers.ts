import { parseBytes, parseDuration } from '@hangar/contract/quantities';

/** Parsers of option values. They throw what was expected; the option's name is added by the caller. */

export function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new Error(`${JSON.stringify(text)} is not a whole number`);
}

export function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value > 0) return value;
  throw new Error(`${JSON.stringify(text)} is not a number above 0`);
}

export function seconds(text: string): number {
  const value = parseDuration(text);
  if (value !== null) return value;
  throw new Error(`${JSON.stringify(text)} is not a time like 90s, 15m or 2h`);
}

export function sizeInBytes(text: string): number {
  const value = parseBytes(text);
  if (value !== null) return value;
  throw new Error(`${JSON.stringify(text)} is not a size like 512m or 2g`);
}
