import { spawn } from 'node:child_process'
import { createWriteStream, existsSync, renameSync } from 'node:fs'
import { createInterface } from 'node:readline'

// Longer than the programs themselves take for a clean end.
const STOP_MS = 20_000

/**
 * Starts one of NxMesh's programs and follows what it prints: each line goes to `onLine`, and to the log file unless `onLine` returns true.
 * It runs in a session of its own, so that Ctrl-C in a terminal reaches only the script, which then stops programs in order.
 */
export function startProgram({ name, node, args, env, logFile, echo, onLine }) {
  if (existsSync(logFile)) renameSync(logFile, `${logFile}.1`)
  const log = createWriteStream(logFile, { mode: 0o600 })
  const child = spawn(node, args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  // Should this script break, its programs do not stay behind.
  const abandon = () => child.kill('SIGTERM')
  process.once('exit', abandon)
  const recent = []
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      if (onLine(line)) return
      log.write(`${line}\n`)
      recent.push(line)
      if (recent.length > 20) recent.shift()
      if (echo) console.log(`${name.padEnd(6)} | ${line}`)
    })
  }
  const ended = new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, signal) => resolve(code === null ? `signal ${signal}` : `code ${code}`))
  })
  let over = false
  void ended.then(() => {
    over = true
    process.off('exit', abandon)
    log.end()
  })
  // `stop` returns undefined for a program that had ended before.
  return { name, ended, recent, logFile, stop: async () => (over ? undefined : stop(child, ended)) }
}

/** Asks a program to end and waits until it has; one that does not is killed with its children. Returns how it ended. */
async function stop(child, ended) {
  child.kill('SIGTERM')
  const killer = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), STOP_MS)
  const how = await ended
  clearTimeout(killer)
  return how
}
