import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fromBinary } from '@bufbuild/protobuf'
import { LogBatchSchema } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import type { Progress } from '../src/telemetry/checkpoint.ts'
import { type LogKind, openFollower } from '../src/telemetry/follower.ts'

const mostUnpacked = 10_000_000

/** Follows a log whose lines are passed on as they are. What is new goes to `counted`, what is told of losses to `losses`. */
export function followLines(
  path: string,
  { progress = newProgress(), counted = [] as string[], most = mostUnpacked, startedAt = Date.now() } = {},
) {
  const aside = join(dirname(path), 'aside')
  mkdirSync(aside, { recursive: true })
  const kind: LogKind = {
    add(lines, batch, isNew) {
      const messages = lines.toString().split('\n')
      if (messages.at(-1) === '') messages.pop()
      for (const message of messages) batch.add({ time: 1, level: 'access', message, fields: [] })
      if (isNew) counted.push(...messages)
      return messages.length
    },
  }
  const losses: string[] = []
  const onLoss = (message: string) => losses.push(message)
  const places = { path, aside, processName: 'nobody', savedAt: 0, startedAt, fromEnd: false, mostUnpacked: most }
  const follower = openFollower({ ...places, kind, progress, onLoss })
  const messages = (bytes: Uint8Array | undefined) => bytes && fromBinary(LogBatchSchema, bytes).entries.map(({ message }) => message)
  return {
    ...follower,
    aside,
    losses,
    progress,
    cut: () => messages(follower.cut()?.bytes),
    /** Every batch that is not acknowledged, once more. */
    again: () => progress.cuts.map((each) => messages(follower.again(each))),
    /** The progress as a later process finds it. */
    saved: () => JSON.parse(JSON.stringify(progress)) as Progress,
  }
}

function newProgress(): Progress {
  return { spool: 's', last: 0, place: null, cuts: [], dropped: 0 }
}
