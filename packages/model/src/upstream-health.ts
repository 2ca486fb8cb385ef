import { z } from 'zod'
import { agentStates } from './agent.ts'
import { serverHealth } from './server-health.ts'
import { id, timestamp } from './text.ts'

/** What one agent says of the servers of an upstream. */
export const upstreamHealth = z
  .strictObject({
    agent_id: id,
    agent_name: z.string(),
    agent_state: z.enum(agentStates),
    reported_at: timestamp.nullable(),
    servers: z.array(serverHealth.omit({ upstream_id: true }).meta({ id: 'UpstreamServerHealth' })),
  })
  .meta({ id: 'UpstreamHealth', description: 'What one agent says of the servers of an upstream that it probes.' })

export type UpstreamHealth = z.infer<typeof upstreamHealth>
