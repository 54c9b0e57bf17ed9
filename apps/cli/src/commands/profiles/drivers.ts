import { defineCommand, globalFlags } from '../../command.ts';
import { wrap } from '../../terminal/words.ts';

export const command = defineCommand({
  brief: 'Drivers and what they can do on this server',
  examples: [
    ['profiles drivers', 'what is there, what is missing, which settings each takes'],
    ['profiles drivers --json', 'with the JSON Schema of the settings'],
  ],
  json: '{"items": [{"name", "title", "available", "detail", "settingsSchema", "capabilities"}]}',
  parameters: { flags: globalFlags },
  async run(flags) {
    const { terminal } = this;
    const { color, columns } = terminal;
    const { client } = await this.api(flags.server);
    const { items } = await client.profiles.drivers({});
    if (flags.json) return terminal.json({ items });
    for (const driver of items) {
      const mark = driver.available ? color.green('✓') : color.dim('–');
      terminal.out(`${mark} ${color.bold(driver.name)}  ${driver.title}${driver.available ? '' : ', not available'}`);
      terminal.out(wrap(driver.detail, columns, '    '));
      const { properties } = driver.settingsSchema as { properties?: Record<string, { description?: string }> };
      for (const [key, { description }] of Object.entries(properties ?? {}))
        terminal.out(
          wrap(`--set ${key}=…${description === undefined ? '' : `  ${description}`}`, columns, '      ').replace(
            /^ {6}/,
            '    ',
          ),
        );
    }
    terminal.next('hangar profiles create NAME --driver DRIVER');
  },
});
