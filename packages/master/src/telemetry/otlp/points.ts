import type { HistogramPoint, Histograms } from './histograms.ts'

/** A sample as it is stored. */
export interface SampleRow {
  ts: number
  seq: number
  agent: string
  spool: string
  name: string
  /** As JSON. */
  labels: string
  value: number
  /** Since when it counts; null for gauges. */
  began: number | null
  /** A newer one of the same counter came before it. */
  late: boolean
}

export interface NumberPoint {
  agent: string
  name: string
  kind: 'gauge' | 'sum'
  labels: string
  began: number | undefined
  ts: number
  value: number
}

export type Point = NumberPoint | HistogramPoint

/** Samples as OpenTelemetry has them. Rows are in the order of their numbers. */
export function pointsOf(rows: readonly SampleRow[], histograms: Histograms): Point[] {
  const points: Point[] = []
  const emit = (point: Point) => points.push(point)
  for (const row of rows) {
    if (row.late) continue
    if (histograms.take(row, JSON.parse(row.labels) as Record<string, string>, emit)) continue
    const { agent, name, labels, ts, value, began } = row
    points.push({ agent, name, kind: began === null ? 'gauge' : 'sum', labels, began: began ?? undefined, ts, value })
  }
  histograms.flush(emit)
  return points
}

/** Without the counters at the end that more of the same histogram may follow, unless nothing were left. */
export function wholeHistograms(rows: readonly SampleRow[]): readonly SampleRow[] {
  const last = rows.at(-1)
  if (!last) return rows
  const isPart = (row: SampleRow) => row.agent === last.agent && row.ts === last.ts && familyOf(row.name) === familyOf(last.name)
  const end = rows.findLastIndex((row) => !isPart(row)) + 1
  return end === 0 ? rows : rows.slice(0, end)
}

function familyOf(name: string): string {
  return name.replace(/_(bucket|sum|count)$/, '')
}

/** The unit of a series by its name, as UCUM has it. */
export function unitOf(name: string): string {
  const base = name.replace(/_total$/, '')
  if (base.endsWith('_bytes')) return 'By'
  if (base.endsWith('_seconds')) return 's'
  if (base.endsWith('_percent')) return '%'
  if (base.startsWith('nginx_connections_')) return '{connection}'
  if (base === 'nginx_http_requests') return '{request}'
  return base === 'nxmesh_agent_log_lines_dropped' ? '{line}' : ''
}
