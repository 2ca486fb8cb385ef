import { join } from 'node:path'
import type { Scope } from '../scope.ts'
import { gaugesOf } from './gauges.ts'
import { hostMeter } from './host.ts'
import type { TelemetryLimits } from './messages.ts'
import { openRotation } from './rotation.ts'
import { type Shipping, startShipping } from './shipping.ts'

/** Follows nginx's logs, measures, and keeps the logs from growing without end. */
export async function startTelemetry(
  scope: Scope,
  limits: TelemetryLimits,
  exclusive: <T>(task: () => Promise<T>) => Promise<T>,
): Promise<Shipping> {
  const { installation, paths, log } = scope
  const isOwned = installation.mode === 'owned'
  const master = isOwned ? undefined : await installation.findMaster()
  const errorLog = isOwned ? paths.errorLog : master === undefined ? undefined : await installation.errorLog(master)
  const { binaryName: processName } = installation
  const setting = { checkpoint: join(paths.telemetry, 'checkpoint.json'), accessLog: paths.accessLog, errorLog }
  const shipping = startShipping({ ...setting, isForeign: !isOwned, processName, startedAt: performance.timeOrigin, limits }, log)
  const measureHost = hostMeter(paths.data)
  const rotation = openRotation(scope, limits.rotateAt)
  let pending: Promise<void> = Promise.resolve()

  async function measure() {
    const [stub, system] = await Promise.all([scope.server.stubStatus(), measureHost()])
    shipping.measured(gaugesOf(stub, system, process.memoryUsage.rss()))
  }

  async function keepShort() {
    // Whoever applies a config reads in the error log what nginx says to it.
    await exclusive(async () => {
      await rotation.rotate(paths.accessLog)
      if (isOwned) await rotation.rotate(paths.errorLog)
    })
  }

  function every(milliseconds: number, task: () => Promise<void>, words: string) {
    return setInterval(() => {
      pending = pending.then(task).catch((cause: Error) => log('warn', words, { error: cause.message }))
    }, milliseconds)
  }

  const timers = [
    every(limits.measureEvery, measure, 'nginx and the machine could not be measured'),
    every(limits.lookEvery * 5, keepShort, 'a log could not be rotated'),
  ]
  return {
    ...shipping,
    async [Symbol.asyncDispose]() {
      for (const timer of timers) clearInterval(timer)
      await pending
      await shipping[Symbol.asyncDispose]()
    },
  }
}
