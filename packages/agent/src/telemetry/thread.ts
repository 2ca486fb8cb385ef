import { readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'
import { dirname } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import type { Sample } from '../link/batches.ts'
import type { Request } from './access-line.ts'
import { accessLineAdder } from './access-rows.ts'
import { type Cut, loadCheckpoint, type Progress, saveCheckpoint } from './checkpoint.ts'
import { count, samplesOf } from './counters.ts'
import { addErrorLines } from './error-line.ts'
import { type Follower, type LogKind, openFollower } from './follower.ts'
import type { BatchName, FromThread, Outcome, ThreadSetting, ToThread } from './messages.ts'
import { type Group, openMetricsSpool } from './metrics-spool.ts'

// The thread that reads nginx's logs. It takes what processor nothing else wants, so that nginx and the rest of the agent come first.
setPriority(threadId(), 19)

const { checkpoint: path, accessLog, errorLog, isForeign, processName, startedAt, limits } = workerData as ThreadSetting
const mostUnderWay = 16
const laterMs = 1000

const checkpoint = loadCheckpoint(path)
const metrics = openMetricsSpool(checkpoint.metrics)
const addAccessLines = accessLineAdder()
const countNew = (request: Request) => count(checkpoint.counters, request)
const access: LogKind = {
  add: (lines, batch, isNew) => addAccessLines(lines, batch, { asRows, onRequest: isNew ? countNew : () => undefined }),
}
let asRows = false
const logs = [follow(accessLog, access, checkpoint.access, false)]
if (errorLog !== undefined) logs.push(follow(errorLog, { add: addErrorLines }, checkpoint.error, isForeign))

let isOpen = false
// Of measurements one goes out at a time: a master that is slow is not sent more for it.
let isTelling = false
let trouble: string | undefined
let saved = JSON.stringify(checkpoint)

const timer = setInterval(look, limits.lookEvery)
parentPort!.on('message', (message: ToThread) => {
  switch (message.kind) {
    case 'session':
      isOpen = message.open
      asRows = message.open && message.takesRows
      // What a master has not heard of when it begins to hear of an agent it would take for new, and count from zero.
      metrics.tellAll()
      isTelling = false
      for (const log of logs) log.underWay.clear()
      return look()
    case 'outcome':
      return hear(message.batch, message.outcome)
    case 'gauges':
      return measure(message.samples)
    case 'stop':
      clearInterval(timer)
      look()
      return parentPort!.close()
    default:
      return message satisfies never
  }
})

interface Followed {
  follower: Follower
  progress: Progress
  /** Cuts that were sent in this session and not answered yet. */
  underWay: Set<number>
  /** Whether there was more to read than could be under way. */
  isBehind: boolean
}

/** A batch to send; its bytes are read again where they are not at hand. */
interface Due {
  log: Followed
  cut: Cut
  bytes: Uint8Array<ArrayBuffer> | undefined
}

function follow(log: string, kind: LogKind, progress: Progress, fromEnd: boolean): Followed {
  const onLoss = (message: string) => say({ kind: 'loss', message })
  const place = { path: log, aside: dirname(path), mostUnpacked: limits.mostBacklog }
  const follower = openFollower({ ...place, kind, progress, processName, savedAt: checkpoint.at, startedAt, fromEnd, onLoss })
  return { follower, progress, underWay: new Set(), isBehind: false }
}

// Reads what there is to read. Nothing is sent that the checkpoint does not hold: whatever happens, a number always means the same lines.
function look(): void {
  try {
    const fresh = logs.flatMap((log) => cutMore(log))
    for (const { follower } of logs) follower.trim(limits.mostBacklog)
    save()
    for (const due of fresh) post(due)
    for (const { follower } of logs) follower.prune()
    report(undefined)
  } catch (cause) {
    report((cause as Error).message)
  }
}

function cutMore(log: Followed): Due[] {
  if (!isOpen) return []
  const { follower, progress, underWay } = log
  const fresh: Due[] = []
  const ready = () => underWay.size + fresh.length
  // Those first that were cut before and have not arrived, as far as is known.
  for (const cut of progress.cuts) if (!underWay.has(cut.sequence) && ready() < mostUnderWay) fresh.push({ log, cut, bytes: undefined })
  log.isBehind = true
  while (ready() < mostUnderWay) {
    const made = follower.cut()
    if (!made) {
      log.isBehind = false
      break
    }
    fresh.push({ log, ...made })
  }
  return fresh
}

function post({ log, cut, bytes }: Due): void {
  const again = bytes ?? log.follower.again(cut)
  if (!again) return
  log.underWay.add(cut.sequence)
  const batch: BatchName = { kind: 'logs', spool: log.progress.spool, sequence: cut.sequence }
  say({ kind: 'batch', batch, bytes: again })
}

function hear({ kind, spool, sequence }: BatchName, outcome: Outcome): void {
  if (kind === 'metrics') {
    isTelling = false
    if (outcome === 'later' || spool !== checkpoint.metrics.spool) return
    metrics.done(sequence, outcome === 'stored')
    if (!metrics.goesOn) return
    look()
    return tell([])
  }
  const log = logs.find(({ progress }) => progress.spool === spool)
  if (!log?.underWay.has(sequence)) return
  if (outcome === 'later') {
    setTimeout(() => {
      log.underWay.delete(sequence)
      look()
    }, laterMs)
    return
  }
  if (outcome === 'refused') log.progress.dropped += log.progress.cuts.find((cut) => cut.sequence === sequence)?.lines ?? 0
  log.underWay.delete(sequence)
  log.follower.done(sequence)
  // Each look saves the checkpoint: not one for each batch.
  if (log.isBehind && log.underWay.size <= mostUnderWay / 2) look()
}

function measure(gauges: readonly Sample[]): void {
  look()
  const backlog = logs.reduce((sum, { follower }) => sum + follower.backlog(), 0)
  tell([...gauges, { name: 'nxmesh_agent_log_backlog_bytes', value: backlog, type: 'gauge' }])
}

// Counters go out as they were saved: a later process must never know less than the master.
function tell(gauges: readonly Sample[]): void {
  if (trouble !== undefined || !isOpen || isTelling) return
  isTelling = true
  say({ kind: 'batch', ...metrics.next(gauges, groups(), Date.now()) })
}

function* groups(): Generator<Group> {
  const dropped = logs.reduce((sum, { progress }) => sum + progress.dropped, 0)
  yield { name: 'agent', samples: () => [{ name: 'nxmesh_agent_log_lines_dropped_total', value: dropped, type: 'counter' }] }
  for (const [id, host] of Object.entries(checkpoint.counters)) yield { name: `host ${id}`, samples: () => samplesOf(id, host) }
}

function save(): void {
  const { at: _at, ...facts } = checkpoint
  const now = JSON.stringify(facts)
  if (now === saved) return
  checkpoint.at = Date.now()
  saveCheckpoint(path, checkpoint)
  saved = now
}

function report(message: string | undefined): void {
  if (message === trouble) return
  trouble = message
  say({ kind: 'trouble', message })
}

function say(message: FromThread): void {
  parentPort!.postMessage(message, message.kind === 'batch' ? [message.bytes.buffer] : [])
}

// A thread has a priority of its own on Linux, by the number of its task. Source: setpriority(2), proc(5).
function threadId(): number {
  return Number(readlinkSync('/proc/thread-self').split('/').at(-1))
}
