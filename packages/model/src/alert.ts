import { z } from 'zod'
import { severities } from './severity.ts'
import { id, timestamp } from './text.ts'

export const alertLifeCycle = ['open', 'acknowledged', 'resolved'] as const

/** Something that is or was wrong with an agent: what a rule found, or what the agent itself warned of. */
export const alert = z
  .strictObject({
    id,
    workspace_id: id,
    agent_id: id,
    rule_id: id.nullable().meta({ description: 'Null where the agent itself warned, or the rule is gone.' }),
    agent_alert_id: z.string().nullable().meta({ description: 'What the agent calls it, where the agent itself warned.' }),
    name: z.string(),
    severity: z.enum(severities),
    state: z.enum(alertLifeCycle),
    message: z.string(),
    metric: z.string().nullable(),
    value: z.number().nullable(),
    threshold: z.number().nullable(),
    opened_at: timestamp,
    updated_at: timestamp,
    acknowledged_at: timestamp.nullable(),
    acknowledged_by: z.string().nullable(),
    resolved_at: timestamp.nullable(),
    resolved_by: z.string().nullable().meta({ description: 'Null where it ended by itself.' }),
  })
  .meta({ id: 'Alert' })

export type Alert = z.infer<typeof alert>
