import { rename, stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { reloadNginx, reopenLogs } from '../nginx.ts'
import type { Scope } from '../scope.ts'
import { idOf, type LogFile, rotatedName } from './log-files.ts'
import { mayBeWritten } from './writers.ts'

const letGoMs = 5000
const reloadPauseMs = 600_000

/** Puts logs aside that have grown to a size, and has nginx begin others. */
export interface Rotation {
  rotate(path: string): Promise<void>
}

export function openRotation({ installation, log }: Pick<Scope, 'installation' | 'log'>, rotateAt: number): Rotation {
  // Workers open logs themselves, as their own user. Where they cannot reach the directory, only new workers write to a new log.
  let areWorkersShutOut = false
  let reloadedAt = Number.NEGATIVE_INFINITY

  async function isLetGo(file: Pick<LogFile, 'id' | 'changedAt'>): Promise<boolean> {
    const begun = performance.now()
    while (mayBeWritten(file, installation.binaryName, Date.now())) {
      if (performance.now() - begun > letGoMs) return false
      await delay(20)
    }
    return true
  }

  return {
    async rotate(path) {
      const found = await stat(path).catch(() => undefined)
      if (!found || found.size < rotateAt) return
      if (areWorkersShutOut && performance.now() - reloadedAt < reloadPauseMs) return
      const former = rotatedName(path, Date.now())
      await rename(path, former)
      const master = await installation.findMaster()
      if (master === undefined) return
      if (!areWorkersShutOut) {
        reopenLogs(master)
        if (await isLetGo({ id: idOf(found), changedAt: Date.now() })) return
        areWorkersShutOut = true
        const words =
          'the workers of nginx cannot open logs below the data directory; to rotate them nginx is reloaded, every ten minutes at most'
        log('warn', words, { path })
      }
      reloadedAt = performance.now()
      reloadNginx(master)
    },
  }
}
