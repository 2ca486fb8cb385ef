// Brings nginx releases of several Debian suites side by side into .nginx/<label>, touching nothing of the system:
// apt with a state of its own fetches the packages, patchelf points each binary at its own C library.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isProgram, main, Refusal, root, run, tail, which } from './command.mjs'
import { ensurePackages } from './install.mjs'

// nginx-core carries the binary in bullseye, nginx itself since bookworm.
const VERSIONS = [
  { label: '1.18', suite: 'bullseye', packages: ['nginx-core', 'libpcre3', 'libssl1.1'] },
  { label: '1.22', suite: 'bookworm', packages: ['nginx', 'libpcre2-8-0', 'libssl3'] },
  { label: '1.26', suite: 'trixie', packages: ['nginx', 'libpcre2-8-0', 'libssl3t64', 'libzstd1'] },
  { label: '1.30', suite: 'forky', packages: ['nginx', 'libpcre2-8-0', 'libssl3t64', 'libzstd1'] },
]
const COMMON = ['nginx-common', 'libnginx-mod-stream', 'libnginx-mod-mail', 'libc6', 'libcrypt1', 'zlib1g']
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
// Raised when the recipe changes, so that trees brought by an earlier one are brought again.
const RECIPE = 2

const home = join(root, '.nginx')

/** Brings every version that is not there yet. Returns one sentence for each that could not be had. */
export async function bringNginxVersions() {
  const missing = []
  for (const version of VERSIONS) if (!(await isPresent(version.label))) missing.push(version)
  if (missing.length === 0) return []
  const obstacle = await findObstacle()
  if (obstacle)
    return [
      `nginx ${missing.map((version) => version.label).join(', ')} cannot be brought here (${obstacle}); the suites run with the nginx at hand.`,
    ]
  console.log(`Bringing nginx ${missing.map((version) => version.label).join(', ')} into .nginx …`)
  const failures = await Promise.all(missing.map(bring))
  return failures.filter((failure) => failure !== undefined)
}

async function findObstacle() {
  if (which('apt-get') === undefined || which('dpkg-deb') === undefined) return 'this machine has no apt'
  if (!existsSync(KEYRING)) return `there is no ${KEYRING}`
  try {
    await ensurePackages([{ package: 'patchelf', command: 'patchelf' }])
  } catch (error) {
    if (error instanceof Refusal) return error.message
    throw error
  }
}

// The paths inside a patched binary are absolute: a tree that was moved is there, but does not run.
async function isPresent(label) {
  const marker = join(home, label, 'complete')
  if (!existsSync(marker) || readFileSync(marker, 'utf8') !== `recipe ${RECIPE}\n`) return false
  return (await run(join(home, label, 'usr/sbin/nginx'), ['-v'])).ok
}

async function bring(version) {
  const work = join(home, `.bringing-${version.label}-${process.pid}`)
  try {
    return await build(version, work)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

async function build({ label, suite, packages }, work) {
  const failure = (step, result) => `nginx ${label} could not be brought (${step}):\n${tail(result.output, 5)}`
  const tree = join(work, 'tree')
  const downloads = join(work, 'downloads')
  const target = join(home, label)
  for (const folder of [tree, downloads, 'lists/partial', 'cache/archives/partial', 'parts'])
    mkdirSync(join(folder.startsWith('/') ? '' : work, folder), { recursive: true })

  const env = { ...process.env, APT_CONFIG: writeAptConfig(work, suite) }
  const update = await run('apt-get', ['-qq', 'update'], { env })
  if (!update.ok) return failure(`apt-get update for ${suite}`, update)
  const download = await run('apt-get', ['-qq', 'download', ...COMMON, ...packages], { env, cwd: downloads })
  if (!download.ok) return failure(`apt-get download from ${suite}`, download)
  for (const file of readdirSync(downloads).filter((name) => name.endsWith('.deb'))) {
    const unpack = await run('dpkg-deb', ['-x', join(downloads, file), tree])
    if (!unpack.ok) return failure(`unpacking ${file}`, unpack)
  }

  const inTarget = (path) => join(target, path.slice(tree.length))
  const loader = findAll(tree, (name) => /^ld-linux.*\.so\.\d$/.test(name))[0]
  const libraries = new Set(
    findAll(tree, (name) => /\.so(\.\d+)*$/.test(name))
      .filter((path) => !path.includes('/modules/'))
      .map((path) => inTarget(join(path, '..'))),
  )
  if (loader === undefined) return `nginx ${label} could not be brought: libc6 of ${suite} holds no program loader.`
  // Not `ld.so --library-path … nginx`: a binary upgrade by USR2 executes argv[0] again and would meet the system's libraries.
  const patch = await run('patchelf', [
    '--set-interpreter',
    inTarget(loader),
    '--force-rpath',
    '--set-rpath',
    [...libraries].join(':'),
    join(tree, 'usr/sbin/nginx'),
  ])
  if (!patch.ok) return failure('patchelf', patch)

  writeFileSync(join(tree, 'complete'), `recipe ${RECIPE}\n`)
  if (existsSync(target)) renameSync(target, join(work, 'replaced'))
  renameSync(tree, target)
  const version = await run(join(target, 'usr/sbin/nginx'), ['-v'])
  if (version.ok) return undefined
  rmSync(target, { recursive: true, force: true })
  return failure('it does not run', version)
}

function writeAptConfig(work, suite) {
  writeFileSync(join(work, 'status'), '')
  writeFileSync(
    join(work, 'parts', 'suite.sources'),
    `Types: deb\nURIs: ${mirror()}\nSuites: ${suite}\nComponents: main\nSigned-By: ${KEYRING}\n`,
  )
  const config = join(work, 'apt.conf')
  const settings = {
    'Dir::State': work,
    'Dir::State::lists': join(work, 'lists'),
    'Dir::State::status': join(work, 'status'),
    'Dir::Cache': join(work, 'cache'),
    'Dir::Etc::sourcelist': '/dev/null',
    'Dir::Etc::sourceparts': join(work, 'parts'),
    'APT::Sandbox::User': 'root',
  }
  writeFileSync(
    config,
    Object.entries(settings)
      .map(([name, value]) => `${name} "${value}";\n`)
      .join(''),
  )
  return config
}

/** The Debian mirror this machine already uses, else Debian's own. */
function mirror() {
  const sources = ['/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list']
    .filter((path) => existsSync(path))
    .map((path) => readFileSync(path, 'utf8'))
  return (
    sources.join('\n').match(/^(?:URIs:|deb)\s+(?:\[.*\]\s+)?(https?:\/\/\S+\/debian)\/?(?:\s|$)/m)?.[1] ?? 'http://deb.debian.org/debian'
  )
}

function findAll(folder, wanted) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return findAll(path, wanted)
    return wanted(entry.name) ? [path] : []
  })
}

if (isProgram(import.meta.url)) {
  await main(async () => {
    const failures = await bringNginxVersions()
    for (const failure of failures) console.error(failure)
    return failures.length === 0 ? 0 : 1
  })
}
