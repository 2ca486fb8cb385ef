import { z } from 'zod'
import { timestamp } from './text.ts'

const latency = z
  .strictObject({ p50: z.number().nullable(), p90: z.number().nullable(), p99: z.number().nullable() })
  .meta({ id: 'Latency', description: 'Percentiles of the response time in milliseconds, by the access logs; null where there are none.' })

const traffic = {
  requests_total: z.int(),
  requests_per_second: z.number(),
  error_rate: z.number().meta({ description: 'The share of requests that were answered with 5xx.' }),
  bandwidth: z.strictObject({ in_bytes: z.int(), out_bytes: z.int() }),
  status_codes: z.strictObject({ '2xx': z.int(), '3xx': z.int(), '4xx': z.int(), '5xx': z.int() }),
  response_time_ms: latency,
}

const point = z
  .strictObject({ timestamp, ...traffic, active_connections: z.int().nullable() })
  .meta({ id: 'MetricsPoint', description: 'What happened in one step, which begins at `timestamp`.' })

/** What agents served in a window of time. */
export const metrics = z
  .strictObject({
    ...traffic,
    active_connections: z.int().meta({ description: 'The newest value of each agent in the window, summed.' }),
    series: z.array(point).optional().meta({ description: 'Only with `step`.' }),
  })
  .meta({ id: 'Metrics' })

export type Metrics = z.infer<typeof metrics>
export type MetricsPoint = z.infer<typeof point>
