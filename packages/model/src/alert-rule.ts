import { z } from 'zod'
import { severities } from './severity.ts'
import { labelSelector } from './target-agents.ts'
import { id, name, timestamp } from './text.ts'

/** States of an agent that a rule can warn of. */
export const alertStates = ['agent_offline', 'nginx_down', 'apply_failed', 'drift', 'certificate_expiring'] as const

/** Figures of an agent that a rule can hold against a threshold, and their units. */
export const alertMetrics = {
  cpu_percent: '%',
  memory_percent: '%',
  disk_percent: '%',
  load_average_1m: '',
  active_connections: '',
  requests_per_second: '',
  server_error_percent: '%',
  response_time_p99_ms: ' ms',
  log_lines_dropped: '',
  certificate_days_left: ' days',
} as const

export type AlertMetric = keyof typeof alertMetrics

const figure = z.number().min(-1e15, 'must be from -1e15 to 1e15').max(1e15, 'must be from -1e15 to 1e15')
const seconds = (min: number, max: number) => z.int().min(min, `must be from ${min} to ${max}`).max(max, `must be from ${min} to ${max}`)

const stateCondition = z.strictObject({ kind: z.literal('state'), state: z.enum(alertStates) })

const metricCondition = z
  .strictObject({
    kind: z.literal('metric'),
    metric: z.enum(Object.keys(alertMetrics) as [AlertMetric, ...AlertMetric[]]),
    operator: z.enum(['above', 'below']),
    threshold: figure,
    clear_threshold: figure
      .nullable()
      .default(null)
      .meta({ description: 'An alert that is open ends only beyond this: below it for `above`, above it for `below`.' }),
    window_seconds: seconds(60, 3600).default(300).meta({
      description: 'How far back requests are looked at: for `server_error_percent`, `response_time_p99_ms` and `log_lines_dropped`.',
    }),
    min_requests: z
      .int()
      .min(0, 'must be from 0 to 1000000000')
      .max(1_000_000_000, 'must be from 0 to 1000000000')
      .default(0)
      .meta({ description: 'With fewer requests in the window nothing is said about errors and times.' }),
  })
  .superRefine(({ operator, threshold, clear_threshold: clear }, ctx) => {
    if (clear === null || (operator === 'above' ? clear <= threshold : clear >= threshold)) return
    const message = `must not be ${operator === 'above' ? 'above' : 'below'} the threshold`
    ctx.addIssue({ code: 'custom', path: ['clear_threshold'], message })
  })

export const alertCondition = z.discriminatedUnion('kind', [stateCondition, metricCondition]).meta({ id: 'AlertCondition' })

export type AlertCondition = z.infer<typeof alertCondition>

/** What users say of a rule. */
export const alertRuleInput = z
  .strictObject({
    name,
    enabled: z.boolean().default(true),
    severity: z.enum(severities).default('warning'),
    condition: alertCondition,
    for_seconds: seconds(0, 86_400).default(0).meta({ description: 'How long the condition must hold before an alert opens.' }),
    label_selector: labelSelector.default(''),
  })
  .meta({ id: 'AlertRuleInput' })

export type AlertRuleInput = z.infer<typeof alertRuleInput>

/** When agents of a workspace are a reason for an alert. */
export const alertRule = alertRuleInput
  .extend({ id, workspace_id: id, created_at: timestamp, updated_at: timestamp })
  .meta({ id: 'AlertRule' })

export type AlertRule = z.infer<typeof alertRule>
