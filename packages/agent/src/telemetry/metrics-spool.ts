import { metricsBatch, type Sample } from '../link/batches.ts'
import type { BatchName } from './messages.ts'

/** Numbers measurements: each number is used until the master has it, with the newest values each time. */
export interface MetricsSpool {
  next(samples: readonly Sample[], time: number): { batch: BatchName; bytes: Uint8Array<ArrayBuffer> }
  /** Notes that the master has a number, or will never take it. */
  done(sequence: number, isStored: boolean): void
  /** Has every counter told once more, to a master who may be another one. */
  tellAll(): void
}

// A master forgets a counter that it has not heard of for days.
const toldAgainAfter = 3_600_000

/** Goes on where the spool's last stored number was. Counters that have not changed since they were stored in this hour are left out. */
export function openMetricsSpool(state: { spool: string; stored: number }): MetricsSpool {
  const known = new Map<string, number>()
  let toldAll = 0
  // The values that first went out under the present number: only those can be what the master has. It may have taken the number from
  // the process before this one, so of the first nothing is known.
  let first: Map<string, number> | undefined = new Map()

  return {
    next(samples, time) {
      if (Math.abs(time - toldAll) > toldAgainAfter) {
        known.clear()
        toldAll = time
      }
      const due = samples.filter((sample) => sample.type === 'gauge' || known.get(keyOf(sample)) !== sample.value)
      const batch = { kind: 'metrics', spool: state.spool, sequence: state.stored + 1 } as const
      first ??= new Map(due.filter(({ type }) => type !== 'gauge').map((sample) => [keyOf(sample), sample.value]))
      return { batch, bytes: metricsBatch(due, { ...batch, time }) }
    },
    done(sequence, isStored) {
      if (sequence !== state.stored + 1) return
      state.stored = sequence
      if (isStored) for (const [key, value] of first ?? []) known.set(key, value)
      first = undefined
    },
    tellAll: () => known.clear(),
  }
}

function keyOf({ name, labels }: Sample): string {
  return `${name}${JSON.stringify(labels ?? {})}`
}
