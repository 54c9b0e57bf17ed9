export { createDaytonaDriver, type DaytonaDriverOptions } from './driver.ts';
