import { metricsBatch, type Sample } from '../link/batches.ts'
import type { BatchName } from './messages.ts'

/** Counters that are told together: those of one virtual host, or of the agent itself. */
export interface Group {
  name: string
  samples: () => readonly Sample[]
}

/** Numbers measurements: each number is used until the master has it, with the newest values each time. */
export interface MetricsSpool {
  /** What is next of a telling of all groups, which keep their order: gauges, and the counters of as many groups as there is room for. */
  next(gauges: readonly Sample[], groups: Iterable<Group>, time: number): { batch: BatchName; bytes: Uint8Array<ArrayBuffer> }
  /** Notes that the master has a number, or will never take it. */
  done(sequence: number, isStored: boolean): void
  /** Whether there is more to tell at once, for which there was no room. */
  readonly goesOn: boolean
  /** Has every counter told once more, to a master who may be another one. */
  tellAll(): void
}

/** The values of a group's counters, by what tells these from each other. */
type Values = Record<string, number>

/** What went out first under a number. */
interface First {
  values: ReadonlyMap<string, Values>
  /** The first group that there was no room for; undefined where there was for all. */
  until: number | undefined
}

// A master forgets a counter that it has not heard of for days.
const toldAgainAfter = 3_600_000
// A master takes messages of four megabytes, and a series of a virtual host is some 130 bytes.
const mostCounters = 10_000

/** Goes on where the spool's last stored number was. Counters that have not changed since they were stored in this hour are left out. */
export function openMetricsSpool(state: { spool: string; stored: number }, most = mostCounters): MetricsSpool {
  const known = new Map<string, Values>()
  let toldAll = 0
  // The values that first went out under the present number: only those can be what the master has. It may have taken the number from
  // the process before this one, so of the first nothing is known.
  let first: First | undefined = { values: new Map(), until: 0 }
  // Where the present telling is, and its first number.
  let from = 0
  let since: number | undefined
  let goesOn = false

  return {
    next(gauges, groups, time) {
      if (Math.abs(time - toldAll) > toldAgainAfter) {
        known.clear()
        toldAll = time
      }
      const due = [...gauges]
      const fresh = new Map<string, Values>()
      let owed = first?.values.size ?? 0
      let room = most
      let until: number | undefined
      let place = 0
      for (const { name, samples } of groups) {
        const index = place++
        if (index < from) continue
        const again = first?.values.get(name)
        if (room <= 0) {
          until ??= index
          if (owed === 0) break
          if (!again) continue
        }
        if (again) owed--
        const before = known.get(name)
        const changed = samples().filter((sample) => {
          const key = keyOf(sample)
          return again?.[key] !== undefined || (room > 0 && before?.[key] !== sample.value)
        })
        if (changed.length === 0) continue
        room -= changed.length
        due.push(...changed)
        fresh.set(name, Object.fromEntries(changed.map((sample) => [keyOf(sample), sample.value])))
      }
      first ??= { values: fresh, until }
      const sequence = state.stored + 1
      since ??= sequence
      const batch = { kind: 'metrics', spool: state.spool, sequence } as const
      return { batch, bytes: metricsBatch(due, { ...batch, since, time }) }
    },
    done(sequence, isStored) {
      if (sequence !== state.stored + 1) return
      state.stored = sequence
      if (isStored) for (const [name, values] of first?.values ?? []) known.set(name, { ...known.get(name), ...values })
      goesOn = first?.until !== undefined
      from = first?.until ?? 0
      if (!goesOn) since = undefined
      first = undefined
    },
    get goesOn() {
      return goesOn
    },
    tellAll() {
      known.clear()
      from = 0
      if (first) first.until = 0
    },
  }
}

function keyOf({ name, labels }: Sample): string {
  return `${name} ${labels?.['status_class'] ?? labels?.['le'] ?? ''}`
}
