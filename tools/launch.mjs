// Owns the way from any Node (18 or newer) to the Node that our sources need: npm's packages are put in place, a Node ≥
// 24.15 is found or fetched (npm's own package of it), and the given script runs on that. Plain JavaScript on purpose:
// it is read by old Nodes. Does not set up the machine: that is `twofold setup`.
//
//   node tools/launch.mjs SCRIPT [arguments]

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = dirname(dirname(fileURLToPath(import.meta.url)));
const build = join(repository, 'build');
const wantedNode = [24, 15];

/** Scripts that work on the machine itself; the first argument narrows it down for the CLI. */
const rootScripts = {
  'tools/test.ts': null,
  'tools/picture/main.ts': null,
  'bench/main.ts': null,
  'tools/record-answers.ts': null,
  'packages/daemon/src/main.ts': null,
  'packages/cli/src/main.ts': ['setup', 'demo', 'up', 'down'],
};
const developmentScripts = [
  'tools/check.ts',
  'tools/record-answers.ts',
  'tools/test.ts',
  'tools/fuzz.ts',
  'tools/picture/main.ts',
  'bench/main.ts',
];

function fail(message) {
  process.stderr.write(`twofold: ${message}\n`);
  process.exit(1);
}

function say(message) {
  process.stderr.write(`twofold: ${message}\n`);
}

function isNewEnough(version) {
  const [major, minor] = version.replace(/^v/, '').split('.').map(Number);
  return major > wantedNode[0] || (major === wantedNode[0] && minor >= wantedNode[1]);
}

/**
 * Runs a program to its end and resolves with its exit code; its output goes to standard error, so that ours stays the
 * script's.
 */
function run(words, cwd, environment = {}) {
  return new Promise((done) => {
    const child = spawn(words[0], words.slice(1), {
      cwd,
      stdio: ['ignore', 2, 2],
      env: { ...process.env, ...environment },
    });
    child.on('error', () => done(127));
    child.on('close', (code) => done(code === null ? 1 : code));
  });
}

async function npm(what, words, cwd, environment) {
  say(`${what} …`);
  const started = Date.now();
  const code = await run(['npm', ...words, '--no-audit', '--no-fund', '--loglevel=error'], cwd, environment);
  if (code === 127) fail('npm was not found. Install it (on Debian and Ubuntu: apt-get install npm) and try again.');
  if (code !== 0)
    fail(
      `${what} failed (npm ended with ${code}, see above). Is the npm registry reachable? Running the same command again continues where this stopped.`,
    );
  say(`${what}: done in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
}

function writeJson(file, value) {
  writeFileSync(`${file}.${process.pid}`, JSON.stringify(value));
  renameSync(`${file}.${process.pid}`, file);
}

/** Changes with every package.json and the lock file: what is installed has to follow them. */
function dependencyKey() {
  const hash = createHash('sha256');
  const packages = join(repository, 'packages');
  const manifests = [
    'package.json',
    'package-lock.json',
    ...readdirSync(packages)
      .sort()
      .map((name) => join('packages', name, 'package.json')),
  ];
  for (const file of manifests)
    if (existsSync(join(repository, file))) hash.update(file).update(readFileSync(join(repository, file)));
  return hash.digest('hex');
}

const stampFile = join(build, 'dependencies.json');

function dependenciesReady(key, development) {
  const stamp = readJson(stampFile);
  return (
    stamp !== null &&
    stamp.key === key &&
    (stamp.development || !development) &&
    existsSync(join(repository, 'node_modules'))
  );
}

const ownNodeRoot = join(build, 'node');
const ownNodePackage = `node-linux-${process.arch}`;
const ownNode = join(ownNodeRoot, 'node_modules', ownNodePackage, 'bin', 'node');

/** The Node to run on, or null while there is none. */
function findNode() {
  if (isNewEnough(process.version)) return process.execPath;
  const fetched = readJson(join(dirname(dirname(ownNode)), 'package.json'));
  return fetched !== null && isNewEnough(fetched.version) && existsSync(ownNode) ? ownNode : null;
}

/** Two launches at once install once: the later one waits. A lock whose process is gone is taken over. */
async function withLock(work) {
  const lock = join(build, 'launch.lock');
  const deadline = Date.now() + 600_000;
  mkdirSync(build, { recursive: true });
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code === 'EACCES' || error.code === 'EROFS' || error.code === 'EPERM')
        fail(
          `npm packages must be installed first, and ${repository} is not writable for you. Run: sudo npm run setup`,
        );
      if (error.code !== 'EEXIST') throw error;
      let alive = true;
      try {
        process.kill(Number(readFileSync(lock, 'utf8')) || process.pid, 0);
      } catch (gone) {
        alive = gone.code === 'EPERM';
      }
      if (!alive) rmSync(lock, { force: true });
      else if (Date.now() > deadline)
        fail(`another launch has held ${lock} for ten minutes. If none is running, remove that file.`);
      else await new Promise((wake) => setTimeout(wake, 200));
    }
  }
  try {
    await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

async function prepare(development) {
  const key = dependencyKey();
  // A checkout that has the development packages keeps them (npm 9 leaves their empty directories behind without them).
  development ||= existsSync(join(repository, 'node_modules', 'typescript', 'package.json'));
  if (dependenciesReady(key, development) && findNode() !== null) return;
  await withLock(async () => {
    if (findNode() === null) {
      mkdirSync(ownNodeRoot, { recursive: true });
      // The platform's package itself, not `node`, whose install script a careful npm does not run.
      await npm(
        `fetching Node ${wantedNode[0]} (this one is ${process.version})`,
        ['install', '--no-save', '--prefix', ownNodeRoot, `${ownNodePackage}@${wantedNode[0]}`],
        ownNodeRoot,
      );
      if (findNode() === null)
        fail(
          `npm brought no Node ≥ ${wantedNode.join('.')} for ${process.arch}. Install one by hand and run again with it.`,
        );
    }
    if (!dependenciesReady(key, development)) {
      // npm leaves out optional packages (the linter's binary is one) that don't want the Node that npm itself runs on:
      // so it runs on ours. Not `npm ci`: a registry may lack other platforms' optional packages, which ci insists on.
      const environment = { PATH: `${dirname(findNode())}:${process.env.PATH}`, NODE_NO_WARNINGS: '1' };
      await npm(
        'installing npm packages',
        ['install', '--no-save', ...(development ? [] : ['--omit=dev'])],
        repository,
        environment,
      );
      writeJson(stampFile, { key, development });
    }
  });
}

/** Becomes the program where this Node can, otherwise stands in for it. */
function become(program, words) {
  const environment = {
    ...process.env,
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE || join(build, 'compile-cache'),
  };
  if (typeof process.execve === 'function') {
    process.removeAllListeners('warning');
    process.emitWarning = () => undefined;
    process.execve(program, [program, ...words], environment);
  }
  const child = spawn(program, words, { stdio: 'inherit', env: environment });
  // From a terminal the whole group has the signal already; passing it on would be a second Ctrl+C.
  for (const signal of ['SIGINT', 'SIGQUIT']) process.on(signal, () => process.stdin.isTTY || child.kill(signal));
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(`${program} could not be started: ${error.message}`));
  child.on('close', (code, signal) => {
    if (signal === null) process.exit(code === null ? 1 : code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

const [script, ...rest] = process.argv.slice(2);
if (script === undefined) fail('usage: node tools/launch.mjs SCRIPT [arguments]');
if (process.platform !== 'linux') fail(`Twofold runs on Linux; this is ${process.platform}.`);
if (Number(process.versions.node.split('.')[0]) < 18) fail(`this is Node ${process.version}; 18 or newer is needed.`);
const path = resolve(repository, script);
if (!existsSync(path)) fail(`${script} does not exist.`);
const verbs = rootScripts[script];
const needsRoot = verbs === null || (verbs !== undefined && verbs.includes(rest[0]));
if (needsRoot && process.getuid() !== 0 && !rest.includes('--help') && !rest.includes('-h')) {
  fail(
    `this works on the machine itself (packages, cgroups, bridges, virtual machines) and needs root. Run it with sudo.`,
  );
}
await prepare(developmentScripts.includes(script));
// node:sqlite's notice is for its developers, not for the user of a container engine.
become(findNode(), ['--disable-warning=ExperimentalWarning', path, ...rest]);
