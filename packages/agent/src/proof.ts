import { setTimeout as delay } from 'node:timers/promises'
import { type LogWatch, refusalIn } from './error-log.ts'
import { isMaster, workersOf } from './nginx.ts'
import type { PrivateServer } from './private-server.ts'

export type Proof =
  | { kind: 'proved' }
  | { kind: 'refused'; lines: string[] }
  | { kind: 'gone'; lines: string[] }
  | { kind: 'timeout'; lines: string[] }

/**
 * Waits until a new worker answers with the digest and every old worker has stopped accepting. nginx reloads
 * asynchronously, and a refused reload looks like success to whoever sent the signal.
 */
export async function prove(wanted: {
  server: PrivateServer
  digest: string
  master: number
  binaryName: string
  oldWorkers: ReadonlySet<number>
  log: LogWatch
  timeoutMs: number
  signal?: AbortSignal | undefined
}): Promise<Proof> {
  const deadline = performance.now() + wanted.timeoutMs
  let pause = 3
  while (true) {
    wanted.signal?.throwIfAborted()
    const serving = await wanted.server.serving(500)
    if (serving?.digest === wanted.digest && !wanted.oldWorkers.has(serving.worker) && (await areRetired(wanted))) return { kind: 'proved' }
    const lines = await wanted.log.read()
    if (refusalIn(lines)) return { kind: 'refused', lines }
    if (performance.now() > deadline) return { kind: 'timeout', lines }
    if (pause > 10 && !(await isMaster(wanted.master, wanted.binaryName))) return { kind: 'gone', lines }
    await delay(pause)
    pause = Math.min(pause * 1.15, 50)
  }
}

async function areRetired({ master, oldWorkers }: { master: number; oldWorkers: ReadonlySet<number> }): Promise<boolean> {
  if (oldWorkers.size === 0) return true
  const workers = await workersOf(master)
  return workers.every((worker) => worker.shuttingDown || !oldWorkers.has(worker.pid))
}
