import { expect, test } from 'vitest';
import { DockerSettings } from './profiles.ts';

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
