import { expect, test } from 'vitest';
import { DockerSettings, DriverName, PERSONAL_DRIVERS, secretsOf } from './profiles.ts';

test.each([
  ['unix:///var/run/docker.sock', true],
  ['tcp://10.0.0.1:2375', true],
  ['https://docker.example:2376', true],
  ['tcp://', false],
  ['tcp://host:99999', false],
  ['https://[', false],
  ['unix:///a\0b', false],
  ['ssh://host', false],
])('a Docker host: %j', (host, good) => {
  expect(DockerSettings.safeParse({ host }).success).toBe(good);
});

test('what is secret in the settings of each driver', () => {
  const secrets = DriverName.options.map((driver) => [driver, ...secretsOf(driver)]);
  const none = [['local'], ['docker'], ['kubernetes']];
  expect(secrets).toEqual([...none, ['ssh', 'key'], ['e2b', 'apiKey'], ['daytona', 'apiKey']]);
  // What reaches nothing of the server's own brings its own key.
  expect(PERSONAL_DRIVERS).toEqual(secrets.flatMap(([driver, ...names]) => (names.length > 0 ? [driver] : [])));
});
