import type { SampleRow } from './points.ts'

/** One histogram as it stands: its counters come one by one, and those that did not change do not come. */
interface Histogram {
  agent: string
  name: string
  /** Its labels as JSON, without `le`. */
  labels: string
  began: number
  ts: number
  /** How many observations are not above each bound. */
  below: Map<number, number>
  sum: number | undefined
  count: number | undefined
}

export interface HistogramPoint {
  agent: string
  name: string
  kind: 'histogram'
  labels: string
  began: number
  ts: number
  bounds: number[]
  /** Observations in each bucket: one more than there are bounds. */
  counts: number[]
  sum: number | undefined
}

export interface Histograms {
  /** Takes a row that is part of a histogram; what it makes complete goes to `emit`. Undefined for a row that is none. */
  take(row: SampleRow, labels: Record<string, string>, emit: (point: HistogramPoint) => void): boolean
  /** What changed since the last call goes to `emit`. */
  flush(emit: (point: HistogramPoint) => void): void
}

// The least recently heard of go first; agents tell all of theirs once an hour.
const mostKept = 20_000

/** Puts counters in Prometheus' form together to histograms. */
export function openHistograms(): Histograms {
  const kept = new Map<string, Histogram>()
  const changed = new Set<Histogram>()

  function find(row: SampleRow, name: string, labels: string, isBucket: boolean): Histogram | undefined {
    const key = `${row.agent}\0${row.spool}\0${name}\0${labels}`
    let found = kept.get(key)
    // What is called so may be something else; the buckets come first.
    if (!found && !isBucket) return undefined
    found ??= { agent: row.agent, name, labels, began: row.began!, ts: row.ts, below: new Map(), sum: undefined, count: undefined }
    kept.delete(key)
    kept.set(key, found)
    if (kept.size > mostKept) kept.delete(kept.keys().next().value!)
    return found
  }

  return {
    take(row, { le, ...rest }, emit) {
      const [, name, part] = /^(.+)_(bucket|sum|count)$/.exec(row.name) ?? []
      if (name === undefined || row.began === null) return false
      const bound = part === 'bucket' ? boundOf(le) : undefined
      if (part === 'bucket' && bound === undefined) return false
      const labels = part === 'bucket' ? JSON.stringify(rest) : row.labels
      const histogram = find(row, name, labels, part === 'bucket')
      if (!histogram) return false
      if (changed.has(histogram) && histogram.ts !== row.ts) emit(pointOf(histogram))
      if (row.began > histogram.began) {
        histogram.below.clear()
        histogram.sum = histogram.count = undefined
        histogram.began = row.began
      }
      histogram.ts = row.ts
      if (bound !== undefined) histogram.below.set(bound, row.value)
      else histogram[part as 'sum' | 'count'] = row.value
      changed.add(histogram)
      return true
    },
    flush(emit) {
      for (const histogram of changed) emit(pointOf(histogram))
      changed.clear()
    },
  }
}

function boundOf(le: string | undefined): number | undefined {
  if (le === '+Inf') return Number.POSITIVE_INFINITY
  const bound = le === undefined || le === '' ? Number.NaN : Number(le)
  return Number.isFinite(bound) ? bound : undefined
}

function pointOf({ agent, name, labels, began, ts, below, sum, count }: Histogram): HistogramPoint {
  const bounds = [...below.keys()].filter(Number.isFinite).sort((a, b) => a - b)
  const all = below.get(Number.POSITIVE_INFINITY) ?? count ?? 0
  let before = 0
  const counts = [...bounds.map((bound) => below.get(bound)!), all].map((value) => {
    // Never negative, whatever somebody else's agent sends.
    const rise = Math.max(0, Math.round(value - before))
    before = Math.max(before, value)
    return rise
  })
  return { agent, name, kind: 'histogram', labels, began, ts, bounds, counts, sum }
}
