import * as nodeModule from 'node:module';
import { VERSION } from './version.ts';

const argv = process.argv.slice(2);

if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V' || argv[0] === 'version'))
  process.stdout.write(`hangar ${VERSION}\n`);
else void main();

async function main(): Promise<void> {
  // Node 22.1 and later keep compiled code between runs; older ones do without.
  nodeModule.enableCompileCache?.();
  const { runProgram } = await import('./program.ts');
  const code = await runProgram(argv, {
    // Opened by the first look at it, which takes time that most commands need not spend.
    get stdin() {
      return process.stdin;
    },
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
    self: [process.execPath, ...process.argv.slice(1, 2)],
    onInterrupt: (listener) => {
      process.on('SIGINT', () => listener(true));
      process.on('SIGTERM', () => listener(true));
      // The terminal was closed. Kernel and shell may both say so: the second time asks for nothing more.
      process.on('SIGHUP', () => listener(false));
    },
    exit: (exitCode) => process.exit(exitCode),
  });
  process.exit(code);
}
