// Brings what a bare machine lacks. Everything here runs before the dependencies exist, on whatever Node the machine has.
import { chmodSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { alone, bin, Refusal, root, run, tail, which } from './command.mjs'

const WANTED_NODE = 24

const readJson = (path) => (existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined)

/** Whether node_modules holds what package-lock.json names. npm writes its own record there last, so an interrupted install counts as none. */
function dependenciesPresent() {
  const wanted = readJson(join(root, 'package-lock.json'))?.packages ?? {}
  const present = readJson(join(root, 'node_modules', '.package-lock.json'))?.packages
  if (present === undefined) return false
  return Object.entries(wanted)
    .filter(([path, entry]) => path.startsWith('node_modules/') && !entry.optional)
    .every(([path, entry]) => present[path]?.version === entry.version)
}

/** Installs the locked dependencies when node_modules does not hold them. */
export async function ensureDependencies() {
  if (!dependenciesPresent()) await alone(installDependencies)
}

async function installDependencies() {
  if (dependenciesPresent()) return
  console.log('Installing dependencies (npm ci) …')
  const npm = process.env.npm_execpath
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const result = npm ? await run(process.execPath, [npm, ...args]) : await run('npm', args)
  if (result.ok) return
  throw new Refusal(`The dependencies could not be installed; is the npm registry reachable? npm ci said:\n${tail(result.output)}`)
}

/** The path of a Node new enough to run TypeScript as it is: this process' own, or the one the dependencies brought. */
export async function locateNode() {
  if (Number.parseInt(process.versions.node, 10) >= WANTED_NODE) return process.execPath
  const brought = join(bin, 'node')
  const version = await run(brought, ['--version'])
  if (version.ok && Number.parseInt(version.output.slice(1), 10) >= WANTED_NODE) return brought
  throw new Refusal(
    `NxMesh needs Node.js ${WANTED_NODE} or newer. This is ${process.version}, and there is no packaged one for ${process.platform} ${process.arch}: please install it from https://nodejs.org.`,
  )
}

/** The environment for programs of the tree: the right Node and the tools of node_modules first, the sbin folders last. */
export const programEnv = (extra = {}) => ({
  ...process.env,
  PATH: [bin, process.env.PATH ?? '', '/usr/local/sbin', '/usr/sbin', '/sbin'].join(delimiter),
  ...extra,
})

/** The path of an nginx to manage, installed from the distribution when there is none and we may. */
export async function ensureNginx() {
  const named = process.env.NXMESH_NGINX
  if (named) {
    const version = await run(named, ['-v'])
    if (!version.ok) throw new Refusal(`NXMESH_NGINX names ${named}, which does not run: ${version.output}`)
    return named
  }
  await ensurePackages([{ package: 'nginx', command: 'nginx' }])
  return which('nginx')
}

const isAbsent = ({ command, file }) => (file === undefined ? which(command) === undefined : !existsSync(file))

/**
 * Installs the distribution packages that are absent.
 * @param {{ package: string, command?: string, file?: string }[]} wanted the command, or the file, proves that the package is there
 */
export async function ensurePackages(wanted) {
  if (wanted.some(isAbsent)) await alone(() => installPackages(wanted))
}

async function installPackages(wanted) {
  const missing = wanted.filter(isAbsent).map((entry) => entry.package)
  if (missing.length === 0) return
  const names = missing.join(' ')
  if (which('apt-get') === undefined) throw new Refusal(`Missing on this machine: ${names}. Please install what your system calls so.`)
  if (process.getuid?.() !== 0) throw new Refusal(`Missing on this machine: ${names}. Please install it: sudo apt-get install ${names}`)
  console.log(`Installing ${names} (apt-get) …`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const options = ['-q', '-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300', '-o', 'Dpkg::Options::=--force-confold']
  const update = await run('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=300', 'update'], { env })
  const install = await withoutServices(() => run('apt-get', [...options, 'install', ...missing], { env }))
  const absent = wanted.filter(isAbsent)
  if (install.ok && absent.length === 0) return
  // A third party's broken source fails the update without spoiling the install, so it is told only when both fail.
  throw new Refusal(`apt-get could not install ${names}:\n${tail([update.ok ? '' : update.output, install.output].join('\n').trim())}`)
}

const POLICY = '/usr/sbin/policy-rc.d'
const SAVED = `${POLICY}.before-nxmesh`

/** Runs an installation during which Debian's packages do not start their services; invoke-rc.d(8) asks policy-rc.d for leave. */
async function withoutServices(install) {
  const forbidden = existsSync(POLICY) && (await run(POLICY, ['nginx', 'start'])).code === 101 && !existsSync(SAVED)
  if (forbidden) return install()
  // SAVED outlives a killed installation, and is then still the policy to go back to.
  if (existsSync(POLICY) && !existsSync(SAVED)) renameSync(POLICY, SAVED)
  writeFileSync(POLICY, '#!/bin/sh\nexit 101\n')
  chmodSync(POLICY, 0o755)
  const waitForTheEnd = () => {}
  process.on('SIGINT', waitForTheEnd).on('SIGTERM', waitForTheEnd)
  try {
    return await install()
  } finally {
    process.off('SIGINT', waitForTheEnd).off('SIGTERM', waitForTheEnd)
    if (existsSync(SAVED)) renameSync(SAVED, POLICY)
    else rmSync(POLICY, { force: true })
  }
}
