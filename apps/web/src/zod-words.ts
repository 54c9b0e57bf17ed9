import { z } from 'zod/v4';

/**
 * How zod speaks on this page: short sentences for people (a schema's own message goes first), and without `new Function`,
 * which the content security policy forbids and the browser would report. The build gives this module to whoever imports `zod`,
 * so that it runs before the first schema is made, in whatever chunk that is.
 */
z.config({
  jitless: true,
  customError: (issue) => {
    switch (issue.code) {
      case 'invalid_type':
        if (issue.input === undefined || issue.input === null || issue.input === '') return 'This is needed';
        return issue.expected === 'number' || issue.expected === 'int' ? 'A number' : undefined;
      case 'too_small':
        if (issue.origin === 'string')
          return issue.minimum === 1 ? 'This is needed' : `At least ${issue.minimum} characters`;
        return `At least ${issue.minimum}`;
      case 'too_big':
        return issue.origin === 'string' ? `At most ${issue.maximum} characters` : `At most ${issue.maximum}`;
      case 'invalid_format':
        if (issue.format === 'email') return 'An email address, like name@example.com';
        return issue.format === 'url' ? 'A URL, like https://example.com' : undefined;
      case 'invalid_value':
        return `One of ${issue.values.join(', ')}`;
      default:
        return undefined;
    }
  },
});

export * from 'zod/v4';
export { z };
