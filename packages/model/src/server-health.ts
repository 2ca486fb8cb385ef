import { z } from 'zod'
import { id, timestamp } from './text.ts'

export const serverStates = ['up', 'down', 'checking', 'unknown'] as const

/** What the checks of an agent say of one server of an upstream. */
export const serverHealth = z
  .strictObject({
    upstream_id: id,
    address: z.string(),
    state: z
      .enum(serverStates)
      .meta({ description: '`checking`: no check has decided yet. `unknown`: the agent is offline, and this is what it said last.' }),
    in_rotation: z
      .boolean()
      .meta({ description: 'Whether nginx gives it requests. Where no server passes its checks, all of them are in rotation.' }),
    since: timestamp.nullable().meta({ description: "Since when it is in this state, by the agent's clock." }),
    last_error: z.string().nullable(),
    checks_passed: z.int(),
    checks_failed: z.int(),
  })
  .meta({ id: 'ServerHealth' })

export type ServerHealth = z.infer<typeof serverHealth>
