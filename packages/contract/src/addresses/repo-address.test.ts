import { expect, test } from 'vitest';
import { isLocalHost, repoHost } from './repo-address.ts';

test.each([
  ...['localhost', 'LOCALHOST.', 'a.localhost', 'host.docker.internal', 'metadata.google.internal', 'ip6-localhost'],
  ...[
    '127.0.0.1',
    '127.1',
    '127.255.255.254',
    '2130706433',
    '0x7f000001',
    '0x7f.1',
    '0177.0.0.1',
    '017700000001',
    '0',
    '0.0.0.0',
  ],
  ...[
    '169.254.169.254',
    '0xa9fea9fe',
    '2852039166',
    '100.100.100.200',
    '168.63.129.16',
    '224.0.0.1',
    '255.255.255.255',
  ],
  ...['::', '::1', '[::1]', '0:0:0:0:0:0:0:1', 'fe80::1', 'fe80::1%eth0', 'febf::1', 'ff02::1', 'fd00:ec2::254'],
  ...[
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:169.254.169.254',
    '::127.0.0.1',
    '::ffff:0:127.0.0.1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
  ],
])('%s is this machine or its link', (host) => {
  expect(isLocalHost(host)).toBe(true);
});

test.each([
  ...[
    'github.com',
    'git.example.org',
    'localhost.example.org',
    'notlocalhost',
    '127.0.0.1.example.org',
    'metadata.example.org',
  ],
  ...[
    '10.0.0.1',
    '192.168.1.4',
    '172.16.0.9',
    '100.64.0.1',
    '8.8.8.8',
    '126.255.255.255',
    '128.0.0.1',
    '169.253.0.1',
    '223.1.1.1',
  ],
  ...['fd12::1', 'fc00::1', '2001:db8::1', '::ffff:10.0.0.1', '64:ff9b::808:808', 'fec0::1'],
])('%s may be a git server', (host) => {
  expect(isLocalHost(host)).toBe(false);
});

test.each([
  ['https://GitHub.com/a/b.git', 'github.com'],
  ['https://u:p@h.example.:8443/x', 'h.example'],
  ['http://0x7f.1/x', '127.0.0.1'],
  ['http://127.0.0.1/x', '127.0.0.1'],
  ['http://[::ffff:127.0.0.1]/x', '::ffff:7f00:1'],
  ['http://good.example@127.0.0.1/x', '127.0.0.1'],
  ['http://127.0.0.1\\@good.example/x', '127.0.0.1'],
  ['http://good.example#@127.0.0.1/x', 'good.example'],
  ['ssh://git@[::1]:22/x', '::1'],
  ['ssh://git@Host.Example:22/x', 'host.example'],
  ['git@h.example:a/b.git', 'h.example'],
  ['git@0177.1:a/b.git', '0177.1'],
  ['ssh://-oProxyCommand=x/y', null],
  ['ssh://%2DoProxyCommand=x/y', null],
  ['ssh://-oProxyCommand=x@h.example/y', null],
  ['ssh://%2doProxyCommand=x@h.example/y', null],
  ['-oProxyCommand@h.example:y', null],
  ['git@-oProxyCommand=x:y', null],
  ['ssh://127.0.0.1/x', '127.0.0.1'],
  ['ssh://h%2eexample/x', null],
  ['ext::sh -c id', null],
  ['file:///etc', null],
  ['--upload-pack=x', null],
  ['https://', null],
])('the host of %s', (url, host) => {
  expect(repoHost(url)).toBe(host);
});
