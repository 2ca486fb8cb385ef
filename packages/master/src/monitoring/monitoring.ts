import type { ChannelKind } from '@nxmesh/model/notification-channel'
import type { LogEvent } from 'kysely'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { ApplyRow } from '../db/schema.ts'
import type { Outcome } from '../notifications/outcome.ts'
import { version } from '../version.ts'

/** What the master tells about its own work, in the text format of Prometheus. */
export interface Monitoring {
  registry: Registry
  /** Notes the answer to a request; `route` is a path as Fastify has it, and undefined where there is nothing. */
  answered(answer: { route: string | undefined; method: string; status: number; milliseconds: number }): void
  applied(attempt: ApplyRow): void
  queried(event: LogEvent): void
  /** Notes an attempt to deliver a notification. */
  notified(kind: ChannelKind, result: Outcome['result']): void
  /** Notes deliveries that were let go because too many waited. */
  dropped(kind: ChannelKind, count: number): void
}

const methods: ReadonlySet<string> = new Set(['GET', 'POST', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'PUT'])
const quick = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10]

/** Each master has a registry of its own: there may be several in one process. */
export function openMonitoring(): Monitoring {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  // Gauges that are named like counters, which promtool refuses; each has others beside it that say the same.
  for (const what of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${what}_total`)
  new Gauge({ name: 'nxmesh_build_info', help: 'The version of the master; always 1.', labelNames: ['version'], registers }).set(
    { version },
    1,
  )
  const requests = new Histogram({
    name: 'nxmesh_http_request_duration_seconds',
    help: 'Time from a request to its answer, by route, method and class of status.',
    labelNames: ['route', 'method', 'status_class'],
    buckets: quick,
    registers,
  })
  const applies = new Histogram({
    name: 'nxmesh_config_apply_duration_seconds',
    help: 'Time that agents needed to apply a config, by what came of it.',
    labelNames: ['status'],
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers,
  })
  const queries = new Histogram({
    name: 'nxmesh_database_query_duration_seconds',
    help: 'Time of statements to the database.',
    buckets: quick,
    registers,
  })
  const failures = new Counter({
    name: 'nxmesh_database_query_failures_total',
    help: 'Statements that the database refused or did not answer.',
    registers,
  })
  const notifications = new Counter({
    name: 'nxmesh_notification_attempts_total',
    help: 'Attempts to deliver a notification, by the kind of channel and what came of it.',
    labelNames: ['kind', 'result'],
    registers,
  })
  const dropped = new Counter({
    name: 'nxmesh_notification_deliveries_dropped_total',
    help: 'Deliveries that were let go because too many waited for their channel, by its kind.',
    labelNames: ['kind'],
    registers,
  })
  return {
    registry,
    answered: ({ route = 'none', method, status, milliseconds }) =>
      requests.observe(
        {
          route: route.replaceAll(/:(\w+)/g, '{$1}'),
          method: methods.has(method) ? method : 'other',
          status_class: `${Math.floor(status / 100)}xx`,
        },
        milliseconds / 1000,
      ),
    applied: ({ status, duration_ms }) => applies.observe({ status }, duration_ms / 1000),
    queried(event) {
      queries.observe(event.queryDurationMillis / 1000)
      if (event.level === 'error') failures.inc()
    },
    notified: (kind, result) => notifications.inc({ kind, result }),
    dropped: (kind, count) => dropped.inc({ kind }, count),
  }
}
