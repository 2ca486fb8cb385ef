import type { Sample } from '../link/batches.ts'
import type { Request } from './access-line.ts'

/** What one virtual host has served since the spool was made. */
interface HostCounters {
  /** Requests by class of status: also of those that have not been, so that the first one is seen as a rise. */
  requests: Record<string, number>
  request_bytes: number
  response_bytes: number
  /** Requests by the bucket that they fall into: those of `bounds`, and one beyond. */
  buckets: number[]
  seconds: number
}

/** By the id of the virtual host; what belongs to none is under the empty one. */
export type Counters = Record<string, HostCounters>

const bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** Adds a request to its host's counters, in place. */
export function count(counters: Counters, { virtual_host, status_class, request_bytes, response_bytes, seconds }: Request): void {
  const host = (counters[virtual_host] ??= blank())
  host.requests[status_class] = (host.requests[status_class] ?? 0) + 1
  host.request_bytes += request_bytes
  host.response_bytes += response_bytes
  const bucket = bounds.findIndex((bound) => seconds <= bound)
  host.buckets[bucket < 0 ? bounds.length : bucket]!++
  // Whole milliseconds, so that sums of them stay exact.
  host.seconds = Math.round((host.seconds + seconds) * 1000) / 1000
}

/** The series of one host, in the form that Prometheus gives them. */
export function samplesOf(virtual_host: string, host: HostCounters): Sample[] {
  const series = (name: string, value: number, more: Record<string, string> = {}): Sample => {
    return { name, value, type: name.startsWith(duration) ? 'histogram' : 'counter', labels: { virtual_host, ...more } }
  }
  let below = 0
  return [
    ...Object.entries(host.requests).map(([status_class, value]) => series('nginx_http_requests_total', value, { status_class })),
    series('nginx_http_request_bytes_total', host.request_bytes),
    series('nginx_http_response_bytes_total', host.response_bytes),
    ...host.buckets.map((amount, index) => {
      below += amount
      return series(`${duration}_bucket`, below, { le: index < bounds.length ? String(bounds[index]) : '+Inf' })
    }),
    series(`${duration}_sum`, host.seconds),
    series(`${duration}_count`, below),
  ]
}

const duration = 'nginx_http_request_duration_seconds'

function blank(): HostCounters {
  return {
    requests: { '1xx': 0, '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0 },
    request_bytes: 0,
    response_bytes: 0,
    buckets: Array.from({ length: bounds.length + 1 }, () => 0),
    seconds: 0,
  }
}
