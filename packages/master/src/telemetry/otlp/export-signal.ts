import { setTimeout as delay } from 'node:timers/promises'
import { judge, type Verdict } from './answer.ts'
import type { Post } from './post.ts'
import type { Progress } from './progress.ts'
import type { SignalStatus } from './setting.ts'
import type { Batch, Source } from './sources.ts'

export interface SignalExport {
  /** Says that there may be rows. */
  wake: () => void
  /** The number of the last row of a table that is exported or on its way. */
  taken: (table: string) => number
  /** Counts rows that went before they were exported. */
  skip: (rows: number) => void
  /** Resolves once nothing is under way any more; a request may end. */
  stop: () => Promise<void>
}

interface Options {
  name: string
  sources: Source[]
  post: Post
  progress: Progress
  save: (progress: Progress) => Promise<void>
  /** Whether there is something to do that comes before this. */
  isBusy: () => boolean
  onStatus: (status: SignalStatus) => void
  onTrouble: (error: unknown) => void
  log: (level: 'info' | 'warn', message: string) => void
}

const mostRows = 2000
// So that a request has more than one row when few come.
const gather = 1000
const pauses = { shortest: 500, longest: 30_000, afterTrouble: 5000 }
const endWithin = 2000
const warnAgainAfter = 60_000

/** Exports the rows of some tables, one request at a time, once it is first woken. */
export function exportSignal({ name, sources, post, progress, save, isBusy, onStatus, onTrouble, log }: Options): SignalExport {
  const ending = new AbortController()
  const cut = new AbortController()
  const taken: Record<string, number> = { ...progress.after }
  let limit = mostRows
  let failing: SignalStatus['failing']
  let wakeUp = Promise.withResolvers<void>()
  let warnedAt = Number.NEGATIVE_INFINITY
  let isSaved = true
  let saving = Promise.resolve()

  const tell = () => onStatus({ exported: progress.exported, refused: progress.refused, skipped: progress.skipped, failing })
  // Ends early with the export.
  const pause = (milliseconds: number) => delay(milliseconds, undefined, { signal: ending.signal }).catch(() => undefined)

  async function run() {
    tell()
    let hasMore = false
    while (!ending.signal.aborted) {
      if (!hasMore) {
        await wakeUp.promise
        wakeUp = Promise.withResolvers()
        await pause(gather)
      }
      try {
        hasMore = await round()
      } catch (error) {
        if (ending.signal.aborted) return
        onTrouble(error)
        await pause(pauses.afterTrouble)
        hasMore = true
      }
    }
  }

  async function round(): Promise<boolean> {
    let hasMore = false
    for (const source of sources) {
      const began = performance.now()
      const batch = await source.take(progress.after[source.table] ?? 0, limit)
      const worked = performance.now() - began
      if (!batch) continue
      taken[source.table] = batch.last
      hasMore = (await deliver(source.table, batch)) || hasMore
      if (ending.signal.aborted) return false
      if (isBusy()) await pause(worked)
    }
    return hasMore
  }

  /** Whether there is more to do at once. */
  async function deliver(table: string, batch: Batch): Promise<boolean> {
    let wait = pauses.shortest
    for (let attempt = 1; ; attempt++) {
      const verdict = judge(await post(batch.body, cut.signal), Date.now())
      if (cut.signal.aborted) return false
      if (verdict.kind === 'too-large' && batch.rows > 1) {
        limit = Math.ceil(batch.rows / 2)
        taken[table] = progress.after[table] ?? 0
        return true
      }
      if (verdict.kind !== 'later') {
        await settle(table, batch, verdict)
        return batch.hasMore
      }
      noteFailure(attempt, verdict.reason)
      await pause(verdict.after ?? wait * (0.5 + Math.random() / 2))
      if (ending.signal.aborted) return false
      wait = Math.min(2 * wait, pauses.longest)
    }
  }

  async function settle(table: string, { rows, last }: Batch, verdict: Exclude<Verdict, { kind: 'later' }>) {
    const rejected = verdict.kind === 'accepted' ? Math.min(verdict.rejected, rows) : rows
    progress.exported += rows - rejected
    progress.refused += rejected
    progress.after[table] = last
    limit = Math.min(Math.ceil(1.1 * limit), mostRows)
    if (failing) log('info', `${name}: delivered again`)
    failing = undefined
    if (rejected > 0) warnOfRefusal(rejected, verdict.reason)
    await keep()
    tell()
  }

  // One after the other, so that the newest stays.
  function keep(): Promise<void> {
    saving = saving.then(write)
    return saving
  }

  async function write() {
    try {
      await save(progress)
      isSaved = true
    } catch (error) {
      // Rows are exported all the same; a new start would export some of them again.
      if (isSaved) log('warn', `${name}: how far it is cannot be written: ${(error as Error).message}`)
      isSaved = false
    }
  }

  // One request that fails is no more than a connection that was closed meanwhile.
  function noteFailure(attempt: number, reason: string) {
    if (attempt < 2) return
    if (!failing) log('warn', `${name}: cannot be delivered and is tried again: ${reason}`)
    failing = { since: failing?.since ?? Date.now(), reason }
    tell()
  }

  function warnOfRefusal(rows: number, reason: string) {
    const now = performance.now()
    if (now - warnedAt < warnAgainAfter) return
    warnedAt = now
    log('warn', `${name}: the receiver refused ${rows} rows, which are dropped (${progress.refused} so far): ${reason}`)
  }

  const running = run()
  return {
    wake: () => wakeUp.resolve(),
    taken: (table) => taken[table] ?? 0,
    skip(rows) {
      progress.skipped += rows
      log('warn', `${name}: ${rows} rows were deleted before they could be exported (${progress.skipped} so far)`)
      void keep()
      tell()
    },
    async stop() {
      ending.abort()
      wakeUp.resolve()
      const timer = setTimeout(() => cut.abort(), endWithin)
      await running
      await saving
      clearTimeout(timer)
    },
  }
}
