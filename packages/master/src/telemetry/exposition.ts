/** The last value of a series of an agent. */
export interface Series {
  agent: string
  name: string
  /** As JSON. */
  labels: string
  value: number
  isCounter: boolean
}

type Kind = 'counter' | 'gauge' | 'histogram' | 'untyped'

interface Metric {
  kinds: Set<boolean>
  lines: string[]
}

const metricName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const labelName = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/
const histogram = /^(.+)_(bucket|sum|count)$/

/**
 * Series in the text format of Prometheus 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/), each with the labels of
 * its agent; those of agents without labels are left out, and names that are `taken` or that the format does not allow. A label of a series
 * that its agent has too gives way, as in a scrape: it becomes `exported_…`.
 */
export function expositionOf(
  series: Iterable<Series>,
  labels: ReadonlyMap<string, Record<string, string>>,
  taken: ReadonlySet<string>,
): string {
  const metrics = new Map<string, Metric>()
  const own = new Map([...labels].map(([agent, values]) => [agent, pairsOf(values)]))
  const reserved = new Set([...labels.values()].flatMap((values) => Object.keys(values)))
  // Many series of many agents have the same ones.
  const known = new Map<string, string>()
  for (const { agent, name, labels: json, value, isCounter } of series) {
    const first = own.get(agent)
    if (first === undefined || taken.has(name) || !metricName.test(name)) continue
    let more = known.get(json)
    if (more === undefined) {
      more = pairsOf(JSON.parse(json), reserved)
      known.set(json, more)
    }
    const metric = metrics.get(name) ?? { kinds: new Set(), lines: [] }
    metrics.set(name, metric)
    metric.kinds.add(isCounter)
    metric.lines.push(`${name}{${first}${more === '' ? '' : `,${more}`}} ${valueOf(value)}\n`)
  }
  return familiesOf(metrics)
    .map(([name, kind, parts]) => {
      const lines = parts.flatMap((part) => part.lines).join('')
      return `# HELP ${name} ${help[name] ?? 'As agents send it.'}\n# TYPE ${name} ${kind}\n${lines}`
    })
    .join('')
}

// The parts of a histogram stand together under one name.
function familiesOf(metrics: Map<string, Metric>): [name: string, kind: Kind, parts: Metric[]][] {
  const families = new Map<string, [string, Kind, Metric[]]>()
  for (const [name, metric] of metrics) {
    const base = histogram.exec(name)?.[1]
    const parts = base === undefined ? [] : ['bucket', 'sum', 'count'].map((part) => metrics.get(`${base}_${part}`))
    if (
      parts.length > 0 &&
      !metrics.has(base!) &&
      parts.every((part): part is Metric => part !== undefined && kindOf(part) === 'counter')
    ) {
      families.set(base!, [base!, 'histogram', parts])
    } else families.set(name, [name, kindOf(metric), [metric]])
  }
  return [...families.values()].toSorted(([a], [b]) => (a < b ? -1 : 1))
}

function kindOf({ kinds }: Metric): Kind {
  return kinds.size > 1 ? 'untyped' : kinds.has(true) ? 'counter' : 'gauge'
}

function pairsOf(labels: Record<string, string>, reserved: ReadonlySet<string> = new Set()): string {
  // A name that is there twice spoils the whole scrape, also what it says of others.
  const given = (name: string, as: string): string =>
    reserved.has(as) || (as !== name && Object.hasOwn(labels, as)) ? given(name, `exported_${as}`) : as
  return Object.entries(labels)
    .map(([name, value]): [string, string] => [given(name, name), value])
    .filter(([name]) => labelName.test(name))
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(',')
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function valueOf(value: number): string {
  return value === Number.POSITIVE_INFINITY ? '+Inf' : value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value)
}

const help: Record<string, string> = {
  nginx_http_requests_total: 'Requests of a virtual host by class of status.',
  nginx_http_request_bytes_total: 'Bytes of requests to a virtual host, with their heads.',
  nginx_http_response_bytes_total: 'Bytes of answers of a virtual host, with their heads.',
  nginx_http_request_duration_seconds: 'Time from the first byte of a request to the last of its answer.',
  nginx_up: '1 where nginx answers its agent.',
  nginx_connections_active: 'Open connections of clients.',
  nginx_connections_reading: 'Connections of which nginx reads a request.',
  nginx_connections_writing: 'Connections to which nginx writes an answer.',
  nginx_connections_waiting: 'Connections that are kept open without a request.',
  nginx_connections_accepted_total: 'Connections taken since nginx was started.',
  nginx_connections_handled_total: 'Connections handled since nginx was started.',
  system_cpu_percent: 'Use of all processors of the host, from 0 to 100.',
  system_memory_used_bytes: 'Memory in use on the host.',
  system_memory_total_bytes: 'Memory of the host.',
  system_disk_used_bytes: 'Bytes used on the disk of the data directory of the agent.',
  system_disk_total_bytes: 'Bytes of the disk of the data directory of the agent.',
  system_load_average_1m: 'Load of the host over a minute.',
  nxmesh_agent_log_lines_dropped_total: 'Log lines that the agent had to let go.',
  nxmesh_agent_log_backlog_bytes: 'Bytes of logs that wait to be sent.',
  nxmesh_agent_resident_memory_bytes: 'Memory of the agent.',
}
