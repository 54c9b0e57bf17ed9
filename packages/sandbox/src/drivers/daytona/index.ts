export { createDaytonaDriver } from './driver.ts';
