import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nest } from '../../../components/form/schema-values.ts';
import { byField } from '../../../components/form/use-schema-form.ts';
import { queued } from '../samples.ts';
import { formOf } from './form-of-job.ts';
import {
  agentOf,
  bodyOf,
  CUSTOM,
  commandOf,
  EMPTY_FORM,
  fieldOfJob,
  groupOf,
  type JobForm,
  JobInput,
  readSpec,
  timesOf,
} from './new-job-form.ts';

const good: JobForm = {
  ...EMPTY_FORM,
  repo: 'https://git.example.com/acme/notes.git',
  spec: '# Do it\n\n```sh\nmake\n```\n',
};

/** As the form shows them. */
function errorsOf(form: JobForm): Record<string, string> {
  const issues = JobInput.safeParse(nest({ ...form })).error?.issues ?? [];
  const { errors, rest } = byField(
    Object.fromEntries(issues.map(({ path, message }) => [path.join('.'), message])),
    Object.keys(form),
    fieldOfJob,
  );
  expect(rest).toEqual([]);
  return errors;
}
const requestOf = (form: JobForm) => JobInput.safeParse(nest({ ...form })).data?.request;

describe('the form of a new job', () => {
  it('is right with a repository and a spec', () => {
    expect(errorsOf(good)).toEqual({});
    expect(requestOf(good)).toMatchObject({
      repo: { url: good.repo },
      env: {},
      resources: {},
    });
    expect(requestOf(good)).not.toHaveProperty('agent');
  });

  it('says what is wrong beside the field', () => {
    const errors = errorsOf({
      ...good,
      repo: '--upload-pack=x',
      ref: '-x',
      spec: '---\nagent: [\n---\nx',
      agent: CUSTOM,
      image: '-v /:/x',
      timeout: 'soon',
      cpus: 'many',
      memory: '1k',
      env: [{ key: '1', name: 'GIT_DIR', value: 'x' }],
    });
    expect(Object.keys(errors).sort()).toEqual(
      ['command', 'cpus', 'env', 'image', 'memory', 'ref', 'repo', 'spec', 'timeout'].sort(),
    );
    expect(requestOf({ ...good, ref: '-x' })).toBeUndefined();
    expect(errorsOf({ ...good, timeout: '1s' }).timeout).toBeDefined();
    expect(errorsOf({ ...good, spec: '' }).spec).toBeDefined();
    expect(errorsOf({ ...good, spec: '# Words' }).spec).toContain('nothing to run');
    expect(errorsOf({ ...good, spec: '# Words', agent: 'claude' }).spec).toBeUndefined();
  });

  it('sends what was typed in the units of the API', () => {
    const request = requestOf({
      ...good,
      ref: ' main ',
      agent: CUSTOM,
      command: 'make all',
      timeout: '1h30m',
      cpus: '1,5',
      memory: '2g',
      env: [{ key: '1', name: 'A', value: 'b' }],
    });
    expect(request).toMatchObject({
      repo: { ref: 'main' },
      agent: 'make all',
      timeoutSeconds: 5400,
      resources: { cpus: 1.5, memoryBytes: 2 * 1024 ** 3 },
      env: { A: 'b' },
    });
  });

  it('looks at variables', () => {
    const env = (...entries: [string, string][]) =>
      errorsOf({ ...good, env: entries.map(([name, value], index) => ({ key: String(index), name, value })) }).env;
    expect(env(['A', 'x'], ['', ''])).toBeUndefined();
    expect(env(['', 'x'])).toBe('Each value needs a name');
    expect(env(['A', 'x'], ['A', 'y'])).toBe('A stands there twice');
    expect(env(['A', ''])).toBe('A has no value');
  });

  it('is the same as a command, without any secret', () => {
    const form: JobForm = {
      ...good,
      agent: CUSTOM,
      command: "echo 'hi'",
      env: [{ key: '1', name: 'TOKEN', value: 's3cret' }],
    };
    expect(commandOf(form)).toBe(
      `hangar run --cloud --spec spec.md --repo https://git.example.com/acme/notes.git --agent 'echo '\\''hi'\\''' --env TOKEN`,
    );
    expect(JSON.stringify(bodyOf(form))).not.toContain('s3cret');
  });

  it('shows what the spec says', () => {
    const { spec, blocks } = readSpec('---\nagent: claude\n---\n# T\n\n```sh\na\n```\n\n```bash\nb\n```\n');
    expect(spec?.title).toBe('T');
    expect(blocks).toBe(2);
    expect(agentOf(EMPTY_FORM, spec)).toBe('claude');
    expect(agentOf({ agent: 'codex', command: '' }, spec)).toBe('codex');
    expect(agentOf(EMPTY_FORM, null)).toBe('shell');
  });
});

describe('a new job from another', () => {
  const presets = ['shell', 'claude'];
  it('asks for everything that the other asked for, but for values of variables', () => {
    const job = {
      ...queued,
      agent: 'make all',
      title: 'Another title',
      image: 'node:24',
      timeoutSeconds: 5400,
      resources: { cpus: 1.5, memoryBytes: 3 * 1024 ** 3, pids: 256 },
      profile: 'docker',
      credential: 'github',
      envNames: ['TOKEN', 'MODE'],
      spec: good.spec,
      repo: { ...queued.repo, url: good.repo, ref: 'next' },
    };
    const form = formOf(job, presets);
    expect(form.env).toMatchObject([
      { name: 'TOKEN', value: '' },
      { name: 'MODE', value: '' },
    ]);
    const filled = { ...form, env: form.env.map((entry) => ({ ...entry, value: 'x' })) };
    expect(errorsOf(filled)).toEqual({});
    expect(requestOf(filled)).toMatchObject({
      title: job.title,
      agent: job.agent,
      image: job.image,
      timeoutSeconds: job.timeoutSeconds,
      resources: job.resources,
      profile: job.profile,
      credential: job.credential,
      env: { TOKEN: 'x', MODE: 'x' },
      repo: { url: good.repo, ref: 'next' },
    });
    expect(formOf({ ...job, agent: 'claude' }, presets)).toMatchObject({ agent: 'claude', command: '' });
    expect(formOf({ ...job, title: 'Do it' }, presets).title).toBe('');
  });

  it('any time limit and any memory come out as they went in', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 5, max: 2_592_000 }),
        fc.integer({ min: 2 ** 25, max: 2 ** 42 }),
        (seconds, bytes) => {
          const form = formOf({ ...queued, timeoutSeconds: seconds, resources: { memoryBytes: bytes } }, presets);
          expect(requestOf({ ...good, timeout: form.timeout, memory: form.memory })).toMatchObject({
            timeoutSeconds: seconds,
            resources: { memoryBytes: bytes },
          });
        },
      ),
    );
  });
});

describe('a job in an open sandbox', () => {
  const here: JobForm = { ...good, place: 'sandbox', sandbox: 's_1a2b3c4d5e' };
  /** Of a profile, and wrong. */
  const left = { profile: 'docker', image: '-v /:/x', cpus: 'many', memory: '1k', pids: '1' };

  it('names the sandbox alone, whatever was typed for a profile before', () => {
    expect(errorsOf({ ...here, ...left })).toEqual({});
    const request = requestOf({ ...here, ...left, timeout: '2h' });
    expect(request).toMatchObject({ sandbox: 's_1a2b3c4d5e', resources: {}, timeoutSeconds: 7200 });
    expect(request).not.toHaveProperty('profile');
    expect(request).not.toHaveProperty('image');
    expect(commandOf({ ...here, ...left })).toBe(
      'hangar run --cloud --spec spec.md --repo https://git.example.com/acme/notes.git --in s_1a2b3c4d5e',
    );
    expect(bodyOf({ ...here, ...left })).toMatchObject({ sandbox: 's_1a2b3c4d5e' });
  });

  it('needs one, and forgets it on a profile', () => {
    expect(errorsOf({ ...here, sandbox: '' })).toEqual({ sandbox: 'The sandbox in which it works' });
    expect(requestOf({ ...here, place: 'profile' })).not.toHaveProperty('sandbox');
    expect(commandOf({ ...here, place: 'profile' })).not.toContain('--in');
  });

  it('says at the field that the server knows no open one', () => {
    expect(fieldOfJob({ path: '', code: 'sandbox_closed' })).toBe('sandbox');
    expect(fieldOfJob({ path: '', code: 'sandbox_not_found' })).toBe('sandbox');
  });

  it('is sent again into the same sandbox, without what the sandbox gave it', () => {
    const job = {
      ...queued,
      ...{ spec: good.spec, repo: { ...queued.repo, url: good.repo }, envNames: [] },
      ...{ sandbox: here.sandbox, image: 'node:26', resources: { cpus: 2 } },
    };
    const form = formOf(job, ['shell', 'claude']);
    expect(form).toMatchObject({ place: 'sandbox', profile: '', image: '', cpus: '' });
    expect(requestOf(form)).toMatchObject({ sandbox: here.sandbox, resources: {} });
  });
});

describe('several of one spec', () => {
  const form = { ...EMPTY_FORM, repo: 'https://git.example.org/a/b.git', spec: '# Add search\n\n```sh\ntrue\n```\n' };

  it('takes a whole number up to twenty', () => {
    expect(['', ' 3 ', '20', '0', '21', '1.5', 'x'].map((times) => timesOf({ times }))).toEqual([
      1,
      3,
      20,
      null,
      null,
      null,
      null,
    ]);
    expect(errorsOf({ ...form, times: '21' })).toEqual({ times: 'A whole number from 1 to 20' });
    expect(errorsOf({ ...form, times: '2' })).toEqual({});
  });

  it('makes one group of them, the same for the same key, and says so as a command', () => {
    expect(groupOf(form, 'web-00ab12cd')).toBe('add-search-12cd');
    expect(commandOf({ ...form, times: '3' })).toContain('--times 3');
    expect(commandOf({ ...form, times: '1' })).not.toContain('--times');
  });
});
