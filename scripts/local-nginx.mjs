import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

// Time for open requests to finish before nginx is told to drop them.
const QUIT_MS = 5_000

/** Stops the nginx whose pid file lies in the agent's data directory: gracefully first, see nginx.org/en/docs/control.html. */
export async function stopNginx(agentDir) {
  const pid = masterPid(agentDir)
  if (pid === undefined) return
  for (const signal of ['SIGQUIT', 'SIGTERM', 'SIGKILL']) {
    if (!send(pid, signal)) return
    if (await isGone(pid, QUIT_MS)) return
  }
}

function masterPid(agentDir) {
  const file = findPidFile(agentDir, 3)
  if (file === undefined) return undefined
  const pid = Number(readFileSync(file, 'utf8').trim())
  if (!Number.isInteger(pid) || pid <= 1) return undefined
  // A pid file left by a crash may name a process that has nothing to do with us.
  if (existsSync('/proc/self/cmdline') && !commandLine(pid).startsWith('nginx: master process')) return undefined
  return pid
}

function findPidFile(folder, depth) {
  if (!existsSync(folder)) return undefined
  if (existsSync(join(folder, 'nginx.pid'))) return join(folder, 'nginx.pid')
  if (depth === 0) return undefined
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const found = entry.isDirectory() ? findPidFile(join(folder, entry.name), depth - 1) : undefined
    if (found !== undefined) return found
  }
}

const commandLine = (pid) => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1')
  } catch {
    return ''
  }
}

/** Sends a signal. Returns false when there is no such process. */
function send(pid, signal) {
  try {
    return process.kill(pid, signal)
  } catch (error) {
    if (error.code === 'ESRCH') return false
    throw error
  }
}

async function isGone(pid, timeoutMs) {
  for (const deadline = Date.now() + timeoutMs; Date.now() < deadline; await pause(50)) {
    if (!send(pid, 0) || isZombie(pid)) return true
  }
  return false
}

// Where pid 1 reaps nobody, a process that has ended still takes signals.
function isZombie(pid) {
  try {
    return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}
