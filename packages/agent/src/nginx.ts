import { spawn } from 'node:child_process'
import { readFile, readlink, rm, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { allProcesses, childrenOf, commandLine, executable, isAlive, type ProcessStat, processStat } from './processes.ts'
import { isListening } from './unix-http.ts'

export interface RunResult {
  ok: boolean
  /** What nginx wrote to its standard output and error. */
  output: string
}

/** How one nginx is started: the binary, its prefix and its main config. */
export interface NginxInvocation {
  binary: string
  prefix: string | undefined
  conf: string
  user?: { uid: number; gid: number } | undefined
  /** Whether it knows the switch `-e`, so that a test run stays out of the compiled-in error log. */
  errorLog?: boolean
}

export interface Worker {
  pid: number
  shuttingDown: boolean
}

// Thousands of certificates on a slow disk take tens of seconds, names that no server answers for minutes. A FIFO that is included takes for ever.
const patienceMs = 300_000

/** The version and build options of a binary: the text of `nginx -V`. */
export async function buildText(binary: string): Promise<string> {
  const { ok, output } = await run(binary, ['-V'], {})
  if (!ok) throw new Error(`${binary} -V failed: ${output.trim()}`)
  return output
}

/** Runs `nginx -t` on a config. The config must name a pid file and logs of its own: nginx opens both even when it only tests. */
export function testConfig(invocation: NginxInvocation, signal?: AbortSignal, timeoutMs = patienceMs): Promise<RunResult> {
  const quiet = invocation.errorLog ? ['-e', 'stderr'] : []
  return run(invocation.binary, ['-t', ...quiet, ...argumentsOf(invocation)], { user: invocation.user, signal, timeoutMs })
}

/** Starts nginx as a daemon in a session of its own, so that it outlives the agent. Resolves once it holds its ports or has given up. */
export async function startNginx(
  invocation: NginxInvocation,
  env: Record<string, string> = {},
  timeoutMs = patienceMs,
): Promise<RunResult> {
  return run(invocation.binary, argumentsOf(invocation), { env, timeoutMs })
}

/** Tells a master to load its config again. It answers nothing: ask the workers. */
export function reloadNginx(master: number): void {
  process.kill(master, 'SIGHUP')
}

/** Tells a master and its workers to open their logs anew. */
export function reopenLogs(master: number): void {
  process.kill(master, 'SIGUSR1')
}

/** Stops nginx: gracefully within a time, then at once. Returns whether it had to be cut short. */
export async function stopNginx(
  master: number,
  { graceful, timeoutMs }: { graceful: boolean; timeoutMs: number },
): Promise<{ cut: boolean }> {
  process.kill(master, graceful ? 'SIGQUIT' : 'SIGTERM')
  if (await isGone(master, timeoutMs)) return { cut: false }
  if (graceful) {
    process.kill(master, 'SIGTERM')
    if (await isGone(master, 5000)) return { cut: true }
  }
  const workers = await childrenOf(master)
  for (const pid of [master, ...workers]) if (await isAlive(pid)) process.kill(pid, 'SIGKILL')
  if (!(await isGone(master, 5000))) throw new Error(`nginx (process ${master}) does not end`)
  return { cut: true }
}

/** The pid in a pid file, if the process is an nginx master that runs; `nginx -t` of others may have left the file empty. */
export async function runningMaster(pidFile: string, binaryName: string): Promise<number | undefined> {
  const text = await readFile(pidFile, 'utf8').catch(() => '')
  const pid = /^\s*([1-9]\d*)\s*$/.exec(text)?.[1]
  if (pid === undefined) return undefined
  return (await isMaster(Number(pid), binaryName)) ? Number(pid) : undefined
}

/** The newest master that was started with a config, for when its pid file has been removed or belongs to a lost data directory. */
export async function masterStartedWith(conf: string, binaryName: string): Promise<number | undefined> {
  let newest: ProcessStat | undefined
  for (const pid of await allProcesses()) {
    if (!(await commandLine(pid)).endsWith(` -c ${conf}`) || !(await isMaster(pid, binaryName))) continue
    const stat = await processStat(pid)
    if (stat && stat.started >= (newest?.started ?? 0)) newest = stat
  }
  return newest?.pid
}

export async function isMaster(pid: number, binaryName: string): Promise<boolean> {
  if (!(await isAlive(pid))) return false
  const exe = (await executable(pid))?.replace(/ \(deleted\)$/, '')
  if (exe !== undefined && !exe.endsWith(`/${binaryName}`)) return false
  return /^nginx: master process\b/.test(await commandLine(pid))
}

/** The binary that a running master would read a config with: its own, even when a package upgrade has put another in its place. */
export async function binaryOf(master: number, installed: string): Promise<string> {
  const own = `/proc/${master}/exe`
  const [running, onDisk] = await Promise.all([stat(own).catch(() => undefined), stat(installed).catch(() => undefined)])
  if (!running) return installed
  return onDisk && running.ino === onDisk.ino && running.dev === onDisk.dev ? installed : own
}

export async function workersOf(master: number): Promise<Worker[]> {
  const workers: Worker[] = []
  for (const pid of await childrenOf(master)) {
    const title = await commandLine(pid)
    const state = (await processStat(pid))?.state
    if (title.startsWith('nginx: worker process') && state !== 'Z') workers.push({ pid, shuttingDown: title.includes('shutting down') })
  }
  return workers
}

/** The file a running nginx writes its own troubles to: the one its standard error leads to. */
export async function errorLogOf(master: number): Promise<string | undefined> {
  const target = await readlink(`/proc/${master}/fd/2`).catch(() => undefined)
  return target?.startsWith('/') && !target.startsWith('/dev/') ? target.replace(/ \(deleted\)$/, '') : undefined
}

/** Removes the socket file that a killed nginx left behind, if nobody listens on it any more. */
export async function removeStaleSocket(path: string): Promise<boolean> {
  const exists = await stat(path).then(
    (found) => found.isSocket(),
    () => false,
  )
  if (!exists || (await isListening(path))) return false
  await rm(path, { force: true })
  return true
}

async function isGone(pid: number, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  while (await isAlive(pid)) {
    if (performance.now() > deadline) return false
    await delay(10)
  }
  return true
}

function argumentsOf({ prefix, conf }: NginxInvocation): string[] {
  return prefix === undefined ? ['-c', conf] : ['-p', `${prefix}/`, '-c', conf]
}

interface RunOptions {
  user?: NginxInvocation['user']
  signal?: AbortSignal | undefined
  env?: Record<string, string>
  timeoutMs?: number
}

function run(binary: string, args: string[], { user, signal, env = {}, timeoutMs = patienceMs }: RunOptions): Promise<RunResult> {
  const { promise, resolve, reject } = Promise.withResolvers<RunResult>()
  const child = spawn(binary, args, {
    argv0: binary.startsWith('/proc/') ? 'nginx' : binary,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', ...env },
    ...(user ? { uid: user.uid, gid: user.gid } : {}),
    ...(signal ? { signal } : {}),
  })
  const chunks: Buffer[] = []
  let length = 0
  const keep = (chunk: Buffer) => {
    if (length < 1_000_000) chunks.push(chunk)
    length += chunk.length
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  child.on('error', (cause: NodeJS.ErrnoException) => {
    clearTimeout(limit)
    if (cause.name === 'AbortError') return reject(cause)
    resolve({ ok: false, output: `cannot run ${binary}: ${cause.message}` })
  })
  let tooLong = ''
  const giveUp = async () => {
    // With "daemon off" the process that was started is the one that serves.
    if (child.pid !== undefined && (await isMaster(child.pid, basename(binary)))) return resolve({ ok: true, output: '' })
    tooLong = `nginx: [emerg] nginx ${args[0] === '-t' ? '-t ' : ''}had not read its configuration after ${timeoutMs / 1000} s and was ended: does it include a pipe, or a file on a disk that does not answer?\n`
    child.kill('SIGKILL')
  }
  const limit = setTimeout(() => void giveUp(), timeoutMs)
  const finish = (code: number | null, killedBy: NodeJS.Signals | null) => {
    clearTimeout(patience)
    clearTimeout(limit)
    child.stdout.destroy()
    child.stderr.destroy()
    const output = Buffer.concat(chunks).toString()
    const why = tooLong || (killedBy && `\n${binary} was ended by ${killedBy}`) || ''
    resolve({ ok: code === 0, output: `${output}${why}` })
  }
  // A daemon keeps the pipe open when its config logs to standard error, so "close" may never come after "exit".
  let patience: NodeJS.Timeout | undefined
  child.on('exit', (code, killedBy) => {
    patience = setTimeout(finish, 200, code, killedBy)
  })
  child.on('close', finish)
  return promise
}
