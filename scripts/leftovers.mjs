import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { root } from './command.mjs'

// As long as a program that is asked to end gets elsewhere.
const STOP_MS = 20_000

/**
 * Ends the programs of this tree that still run on one of the data directories, as after the script that started them was killed.
 * The nginx of the agent goes on serving; the next agent adopts it.
 */
export async function endLeftovers(dataDirs) {
  const left = leftovers(dataDirs)
  if (left.length === 0) return
  console.log(`Ending what an earlier start left running (process ${left.join(', ')}) …`)
  signal(left, 'SIGTERM')
  for (const deadline = Date.now() + STOP_MS; Date.now() < deadline && leftovers(dataDirs).length > 0; ) await pause(50)
  signal(leftovers(dataDirs), 'SIGKILL')
}

/** By what they were started with, since a recorded process number may be another program's by now. */
function leftovers(dataDirs) {
  const packages = join(root, 'packages', '/')
  return processes().filter((pid) => {
    const args = commandLine(pid)
    const dataDir = args[args.indexOf('--data-dir') + 1]
    return args.includes('--data-dir') && dataDirs.includes(dataDir) && args.some((argument) => argument.startsWith(packages))
  })
}

function processes() {
  try {
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 1 && pid !== process.pid)
  } catch {
    return []
  }
}

/** The arguments of a process; none for one that has ended or is not ours to see. */
function commandLine(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return []
  }
}

function signal(pids, name) {
  for (const pid of pids) {
    try {
      process.kill(pid, name)
    } catch (error) {
      if (error.code !== 'ESRCH') throw error
    }
  }
}
