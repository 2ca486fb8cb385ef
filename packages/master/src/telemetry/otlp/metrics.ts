import { type Point, unitOf } from './points.ts'
import { byAgent, type KnownAgent, nanoseconds, writeAgent } from './resource.ts'
import { attributeKey, type WireWriter, wireWriter } from './wire-writer.ts'

// Fields of opentelemetry/proto/metrics/v1/metrics.proto.
const metric = { name: 1, unit: 3, gauge: 5, sum: 7, histogram: 9 } as const
const data = { points: 1, temporality: 2, isMonotonic: 3 } as const
const common = { began: 2, time: 3 } as const
const numberPoint = { asDouble: 4, attributes: 7 } as const
const histogramPoint = { count: 4, sum: 5, counts: 6, bounds: 7, attributes: 9 } as const
const cumulative = 2

/** The metrics of one request to the receiver. */
export function encodeMetrics(points: readonly Point[], known: ReadonlyMap<string, KnownAgent>): Uint8Array<ArrayBuffer> {
  const out = wireWriter()
  for (const [agent, its] of byAgent(points)) {
    writeAgent(out, agent, known.get(agent), (entries) => {
      for (const same of Map.groupBy(its, ({ name, kind }) => `${kind} ${name}`).values()) {
        out.message(entries, () => writeMetric(out, same))
      }
    })
  }
  return out.written()
}

function writeMetric(out: WireWriter, points: readonly Point[]): void {
  const { name, kind } = points[0]!
  out.text(metric.name, name)
  const unit = unitOf(name)
  if (unit !== '') out.text(metric.unit, unit)
  out.message(metric[kind], () => {
    for (const point of points) out.message(data.points, () => writePoint(out, point))
    if (kind !== 'gauge') out.varint(data.temporality, cumulative)
    if (kind === 'sum') out.varint(data.isMonotonic, 1)
  })
}

function writePoint(out: WireWriter, point: Point): void {
  const { began, ts, labels } = point
  // A clock may have been set back since.
  if (began !== undefined) out.fixed64(common.began, nanoseconds(Math.min(began, ts)))
  out.fixed64(common.time, nanoseconds(ts))
  if (point.kind === 'histogram') {
    out.fixed64(histogramPoint.count, BigInt(point.counts.reduce((sum, count) => sum + count, 0)))
    if (point.sum !== undefined) out.double(histogramPoint.sum, point.sum)
    out.packed(histogramPoint.counts, point.counts, 'fixed64')
    out.packed(histogramPoint.bounds, point.bounds, 'double')
    writeLabels(out, histogramPoint.attributes, labels)
  } else {
    out.double(numberPoint.asDouble, point.value)
    writeLabels(out, numberPoint.attributes, labels)
  }
}

function writeLabels(out: WireWriter, field: number, labels: string): void {
  for (const [name, value] of Object.entries(JSON.parse(labels) as Record<string, string>)) {
    out.attribute(field, attributeKey(name), value)
  }
}
