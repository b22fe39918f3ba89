// Runs the required server scenarios of each revision and says what became of each of them.
//
//   node scenarios.mjs SUITE URL RESULTS
//
// The suite's own exit code is not enough: it is 0 too when a scenario did not run.

import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

// How many scenarios each revision requires of a server; the sets are frozen.
const REQUIRED = { '2026-07-28': 37, '2025-11-25': 30 };
// More than this is a hang.
const DEADLINE_MS = 180_000;

const [suite, url, results] = process.argv.slice(2);
const home = join(suite, 'node_modules', '@modelcontextprotocol', 'conformance');
const yaml = createRequire(join(home, 'package.json'))('yaml');

function required(revision) {
  const set = yaml.parse(readFileSync(join(home, 'requirements', `${revision}.yaml`), 'utf8'));
  return set.server;
}

function runSuite(revision, directory) {
  const args = [join(home, 'dist', 'index.js'), 'server', '--url', url, '--requirements', revision, '-o', directory];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: DEADLINE_MS });
    let output = '';
    child.stdout.on('data', (text) => (output += text));
    child.stderr.on('data', (text) => (output += text));
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, output }));
  });
}

// The checks of each scenario that ran, by its name.
function checksByScenario(directory) {
  const found = new Map();
  for (const entry of readdirSync(directory)) {
    const name = entry.match(/^server-(.+)-\d{4}-\d\d-\d\dT.*$/)?.[1];
    if (name) {
      found.set(name, JSON.parse(readFileSync(join(directory, entry, 'checks.json'), 'utf8')));
    }
  }
  return found;
}

function judge(checks) {
  if (!checks) return { passed: false, why: ['it did not run'] };
  const failed = checks.filter((check) => check.status === 'FAILURE');
  const succeeded = checks.filter((check) => check.status === 'SUCCESS');
  if (failed.length > 0) {
    return { passed: false, why: failed.map((check) => `${check.id}: ${check.errorMessage ?? check.description}`) };
  }
  if (succeeded.length === 0) return { passed: false, why: ['no check succeeded'] };
  const warnings = checks.filter((check) => check.status === 'WARNING');
  return { passed: true, why: warnings.map((check) => `warning: ${check.id}: ${check.errorMessage ?? check.description}`) };
}

async function runRevision(revision) {
  const directory = join(results, revision);
  mkdirSync(directory);
  const names = required(revision);
  const { code, signal, output } = await runSuite(revision, directory);
  const checks = checksByScenario(directory);
  let passed = 0;
  for (const name of names) {
    const verdict = judge(checks.get(name));
    passed += verdict.passed ? 1 : 0;
    console.log(`${verdict.passed ? 'passed' : 'FAILED'}  ${revision}  ${name}`);
    for (const line of verdict.why) console.log(`        ${line}`);
  }
  console.log(`${revision}: ${passed} of ${names.length} required scenarios passed`);
  const complete = names.length === REQUIRED[revision];
  if (!complete) console.log(`FAILED  ${revision} requires ${REQUIRED[revision]} scenarios, the suite names ${names.length}`);
  const whole = complete && passed === names.length;
  if (whole && code !== 0) console.log(`FAILED  ${revision}: the suite ended with ${signal ?? code}\n${output.slice(-2000)}`);
  return whole && code === 0;
}

let all = true;
for (const revision of Object.keys(REQUIRED)) {
  all = (await runRevision(revision)) && all;
}
process.exit(all ? 0 : 1);
