import { spawn } from 'node:child_process'
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
export const bin = join(root, 'node_modules', '.bin')

/** What stops a script with one sentence for people instead of a stack trace. */
export class Refusal extends Error {}

/**
 * Runs a command to its end without a terminal behind it.
 * Returns its exit code (-1 when it could not be started) and everything it printed.
 */
export function run(command, args, { cwd = root, env = process.env, inherit = false } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, stdio: inherit ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout?.on('data', (chunk) => (output += chunk))
    child.stderr?.on('data', (chunk) => (output += chunk))
    child.on('error', (error) => resolve({ ok: false, code: -1, output: error.message }))
    child.on('close', (code, signal) =>
      resolve({ ok: code === 0, code: code ?? -1, output: output.trim() || (signal ? `killed by ${signal}` : '') }),
    )
  })
}

// A user's PATH often lacks the sbin folders, where distributions put nginx, and Debian's folders of PostgreSQL's server programs.
const searchPath = () =>
  [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin', ...postgresFolders()].filter(Boolean)

function postgresFolders() {
  const versions = '/usr/lib/postgresql'
  return existsSync(versions) ? readdirSync(versions).map((version) => join(versions, version, 'bin')) : []
}

/** The full path of a command, or undefined when no folder of PATH or sbin holds it. */
export function which(command) {
  return searchPath()
    .map((folder) => join(folder, command))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return statSync(path).isFile()
      } catch {
        return false
      }
    })
}

/** The last lines of a command's output, indented to stand under a sentence. */
export const tail = (output, lines = 15) =>
  output
    .split('\n')
    .slice(-lines)
    .map((line) => `  ${line}`)
    .join('\n')

/** Runs a script's main function: a Refusal ends it with its sentence and code 1, any other error with its stack. */
export async function main(body) {
  try {
    process.exitCode = (await body(process.argv.slice(2))) ?? 0
  } catch (error) {
    console.error(error instanceof Refusal ? error.message : error)
    process.exitCode = 1
  }
}

/** Whether this module is the program that was started, and not one imported by another. */
export const isProgram = (moduleUrl) => process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(moduleUrl)

/** Runs `body` while no other script of this tree is in it: two installations into one folder destroy each other. */
export async function alone(body) {
  const lock = join(root, '.nxmesh', 'installing.pid')
  try {
    mkdirSync(dirname(lock), { recursive: true })
  } catch (error) {
    throw new Refusal(`Something has to be installed, but ${root} cannot be written (${error.code}).`)
  }
  while (!take(lock)) await pause(200)
  try {
    return await body()
  } finally {
    rmSync(lock, { force: true })
  }
}

function take(lock) {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
    if (!holderRuns(lock)) rmSync(lock, { force: true })
    return false
  }
}

function holderRuns(lock) {
  try {
    const holder = Number(readFileSync(lock, 'utf8'))
    // An empty file was created this moment by a holder about to write its number.
    if (holder === 0) return Date.now() - statSync(lock).mtimeMs < 5_000
    return holder !== process.pid && process.kill(holder, 0)
  } catch (error) {
    return error.code === 'EPERM'
  }
}
