import { z } from 'zod'
import { explained } from './explained.ts'
import { timestamp } from './text.ts'

const text = z.string().nullable()
const whole = z.int().nullable()

/** One request as an agent's nginx logged it. What the agent did not tell is null. */
export const accessLogEntry = z
  .strictObject({
    id: z.string().meta({ format: 'uuid' }),
    agent_id: z.string().meta({ format: 'uuid' }),
    timestamp,
    remote_addr: text,
    method: text,
    uri: text,
    protocol: text,
    host: text,
    status: whole,
    body_bytes_sent: whole,
    response_time_ms: z.number().nullable(),
    user_agent: text,
    referer: text,
    request_id: text,
    virtual_host_id: text,
    upstream_addr: text,
    upstream_status: text.meta({ description: 'As nginx writes it: `502, 200` after a second try.' }),
    request_bytes: whole,
    bytes_sent: whole,
  })
  .meta({ id: 'AccessLogEntry' })

export type AccessLogEntry = z.infer<typeof accessLogEntry>

/** One line of an agent's error log. */
export const errorLogEntry = z
  .strictObject({
    id: z.string().meta({ format: 'uuid' }),
    agent_id: z.string().meta({ format: 'uuid' }),
    timestamp,
    level: z.string().meta({ description: 'As nginx names it: `error`, `warn`, `crit`, …' }),
    message: z.string(),
    ...explained,
  })
  .meta({ id: 'ErrorLogEntry' })

export type ErrorLogEntry = z.infer<typeof errorLogEntry>

/** What requests can be counted by. */
export const topBy = ['uri', 'remote_addr', 'user_agent', 'upstream_addr', 'host', 'status'] as const

export type TopBy = (typeof topBy)[number]

/** How many requests had one value, and how they went. */
export const topEntry = z
  .strictObject({
    value: text,
    requests: z.int(),
    body_bytes_sent: z.int(),
    server_errors: z.int().meta({ description: 'Answered with 5xx.' }),
    response_time_ms: z.number().nullable().meta({ description: 'The mean.' }),
  })
  .meta({ id: 'TopEntry' })

export type TopEntry = z.infer<typeof topEntry>
