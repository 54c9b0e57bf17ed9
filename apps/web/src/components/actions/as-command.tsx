import { COMMANDS } from '@hangar/contract/operations';
import { placed } from '@hangar/contract/request';
import { commandWords, shellCommand, shellWord } from '@hangar/contract/shell-words';
import { ActionIcon, Popover, Stack, Text, Tooltip } from '@mantine/core';
import { IconTerminal2 } from '@tabler/icons-react';
import { Command } from './copy.tsx';

export interface AsCommandProps {
  /** The same thing on the command line: `hangar cancel j_7k2…`. Left out where the command has no verb for it. */
  hangar?: string;
  /** The same thing as a request; see `asCommand`. */
  curl: string;
}

/** Shows and copies what an action is on the command line. */
export function AsCommand({ hangar, curl }: AsCommandProps) {
  return (
    <Popover width="min(520px, calc(100vw - 32px))" position="bottom-end" shadow="md" trapFocus returnFocus>
      <Popover.Target>
        <Tooltip label="As command">
          <ActionIcon aria-label="As command" size={32} variant="default">
            <IconTerminal2 size={16} />
          </ActionIcon>
        </Tooltip>
      </Popover.Target>
      <Popover.Dropdown p="sm">
        <Stack gap={8}>
          <Text size="xs" c="dimmed">
            The same from a terminal
          </Text>
          {hangar === undefined ? null : <Command label="hangar" text={hangar} />}
          <Command label="curl" text={curl} />
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}

/**
 * An operation of the contract as it is typed in a terminal. `input` as for a call; `words`: what the command line calls otherwise.
 */
export function asCommand(
  route: keyof typeof COMMANDS,
  input: Readonly<Record<string, unknown>> = {},
  words: Readonly<Record<string, unknown>> = {},
): Required<AsCommandProps> {
  const { method, path, rest } = placed(route, input);
  const asked = Object.entries(rest).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((one) => [name, String(one)]),
  );
  const query = method === 'GET' && asked.length > 0 ? `?${new URLSearchParams(asked)}` : '';
  return {
    hangar: shellCommand(['hangar', ...commandWords(COMMANDS[route], { ...input, ...words })]),
    curl: curlFor(method, `${path}${query}`, method === 'GET' || asked.length === 0 ? undefined : rest),
  };
}

/** A curl command with the token taken from the environment; `path` without `/api`. */
export function curlFor(method: string, path: string, body?: unknown): string {
  const parts = ['curl', '-fsS'];
  if (method !== 'GET') parts.push('-X', method);
  parts.push('-H', '"Authorization: Bearer $HANGAR_TOKEN"');
  if (body !== undefined)
    parts.push('-H', shellWord('Content-Type: application/json'), '-d', shellWord(JSON.stringify(body)));
  parts.push(shellWord(`${location.origin}/api${path}`));
  return parts.join(' ');
}
