export { type DockerForTests, dockerForTests, type NoDocker } from './docker-for-tests.ts';
