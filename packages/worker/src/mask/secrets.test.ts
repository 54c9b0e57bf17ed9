import { expect, test } from 'vitest';
import { makeOrder } from '../testing/fixtures.ts';
import { isSecret, secretsOf } from './secrets.ts';

test.each([
  ['ANTHROPIC_API_KEY', 'abcd'],
  ['api_key', 'production'],
  ['GITHUB_PAT', 'word'],
  ['PIN', '1234'],
  ['PGPASSWORD', 'test'],
  ['MYSQL_PWD', 'root'],
  ['PASSPHRASE', 'correct'],
  ['NPM_AUTH', 'word'],
  ['AUTHORIZATION', 'word'],
  ['CLIENT_SECRET', 'word'],
  ['AWS_CREDENTIALS', 'word'],
  ['FOO', 'Tr0ub4dor'],
  ['FOO', '12345678'],
  ['FOO', 'correct horse'],
  ['FOO', 'correct-horse'],
  ['FOO', 'Production'],
  ['DATABASE_URL', 'postgres://ada:pw@db/x'],
  ['FOO', 'qzvxkwjhgfpmnbtrs'],
])('%s=%s is masked', (name, value) => {
  expect(isSecret(name, value)).toBe(true);
});

test.each([
  ['NODE_ENV', 'test'],
  ['NODE_ENV', 'production'],
  ['LOG_LEVEL', 'error'],
  ['GIT_AUTHOR_NAME', 'Ada'],
  ['PORT', '3000'],
  ['CI', 'true'],
  ['PATTERN', 'src/**'],
  ['SPINNER', 'dots'],
])('%s=%s is not', (name, value) => {
  expect(isSecret(name, value)).toBe(false);
});

test('a credential is a secret whatever it looks like, also inside a URL', () => {
  const order = makeOrder({
    env: { NODE_ENV: 'test', TOKEN: 'word' },
    credential: { kind: 'https-token', host: 'x', username: 'ada', value: 'test', knownHosts: null },
    repo: { ...makeOrder({}).repo, url: 'https://ada:p%40ss@example.com/x' },
  });
  expect(secretsOf(order)).toEqual(['word', 'test', 'ada:test', 'ada:p%40ss', 'p@ss']);
});
