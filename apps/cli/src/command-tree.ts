import {
  type Application,
  type ApplicationText,
  buildApplication,
  buildCommand,
  buildRouteMap,
  type RouteMap,
  text_en,
} from '@stricli/core';
import type { Cli } from './cli.ts';
import type { LoadedCommand } from './command.ts';
import { type Group, isGroup, ROOT } from './routes.ts';

interface Chosen {
  readonly path: readonly string[];
  readonly loaded: LoadedCommand;
  readonly failed: (thrown: unknown) => void;
}

/** The whole tree of commands as stricli sees it. */
export function buildProgram(chosen: Chosen | null, words: Partial<ApplicationText> = {}): Application<Cli> {
  return buildApplication<Cli>(
    routeMapOf(ROOT, [], chosen),
    {
      name: 'hangar',
      scanner: { caseStyle: 'allow-kebab-for-camel', allowArgumentEscapeSequence: true },
      documentation: { disableAnsiColor: true },
      localization: { text: { ...text_en, ...words } },
    },
    {},
  );
}

/** Only the command that runs is loaded, and is alone then; else all stand in by name, so that a wrong word finds the right one. */
function routeMapOf(group: Group, path: readonly string[], chosen: Chosen | null): RouteMap<Cli> {
  const next = chosen?.path[path.length];
  const routes = Object.fromEntries(
    Object.entries(group.routes)
      .filter(([name]) => next === undefined || name === next)
      .map(([name, node]) => {
        const here = [...path, name];
        if (isGroup(node)) return [name, routeMapOf(node, here, chosen)];
        if (chosen !== null && chosen.path.join(' ') === here.join(' ')) {
          const { command } = chosen.loaded;
          const caught: typeof command = {
            ...command,
            loader: async () => {
              const loaded = await command.loader();
              const action = typeof loaded === 'function' ? loaded : loaded.default;
              return async function (this: Cli, ...given) {
                try {
                  await action.call(this, ...given);
                } catch (thrown) {
                  chosen.failed(thrown);
                }
              };
            },
          };
          return [name, caught];
        }
        return [
          name,
          buildCommand<Record<never, never>, [], Cli>({ docs: { brief: node.brief }, parameters: {}, func: () => {} }),
        ];
      }),
  );
  return buildRouteMap<string, Cli>({ routes, docs: { brief: group.brief } });
}
