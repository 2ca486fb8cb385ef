import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { idOf, type LogFile } from './log-files.ts'

// nginx's processes let go of a rotated log one after another. Where they cannot be looked at, quiet has to do.
const quietMs = 10_000

/** Whether some process of nginx may still write to a file. */
export function mayBeWritten({ id, changedAt }: Pick<LogFile, 'id' | 'changedAt'>, processName: string, now: number): boolean {
  let blind = false
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid) || nameOf(pid) !== processName.slice(0, 15)) continue
    try {
      for (const fd of readdirSync(`/proc/${pid}/fd`)) if (idAt(`/proc/${pid}/fd/${fd}`) === id) return true
    } catch (cause) {
      // One that has just ended has no files any more.
      if ((cause as NodeJS.ErrnoException).code === 'EACCES') blind = true
    }
  }
  return blind && now - changedAt < quietMs
}

function nameOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
  } catch {
    return ''
  }
}

function idAt(path: string): string | undefined {
  try {
    if (!readlinkSync(path).startsWith('/')) return undefined
  } catch {
    return undefined
  }
  const found = statSync(path, { throwIfNoEntry: false })
  return found && idOf(found)
}
