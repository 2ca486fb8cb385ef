import { z } from 'zod'
import { id, name, timestamp } from './text.ts'

export const algorithms = ['round_robin', 'least_connections', 'ip_hash', 'weighted_round_robin'] as const

const address = z
  .string()
  .superRefine((text, ctx) => {
    if (!isServerAddress(text))
      ctx.addIssue({ code: 'custom', message: 'must be host, host:port, [IPv6]:port or unix:/path', params: { code: 'INVALID_FORMAT' } })
  })
  .meta({ description: '`host`, `host:port`, `[IPv6]:port` or `unix:/path`.' })

const seconds = (max: number) =>
  z.int('must be a whole number of seconds').min(1, `must be from 1 to ${max}`).max(max, `must be from 1 to ${max}`)

export const upstreamServer = z
  .strictObject({
    address,
    weight: z.int().min(1, 'must be from 1 to 65535').max(65_535, 'must be from 1 to 65535').default(1),
    backup: z.boolean().default(false),
    down: z.boolean().default(false),
    max_fails: z.int().min(0, 'must be from 0 to 1000000').max(1_000_000, 'must be from 0 to 1000000').default(1),
    fail_timeout: seconds(86_400).default(10),
  })
  .meta({ id: 'UpstreamServer', description: 'A server of an upstream; times are in seconds.' })

export const healthCheck = z
  .strictObject({
    enabled: z.boolean().default(false),
    path: z
      .string()
      .max(2000)
      .regex(/^\/[\x21-\x7e]*$/, 'must be a path that begins with "/"')
      .default('/'),
    interval: seconds(86_400).default(10),
    timeout: seconds(3600).default(5),
    healthy_threshold: z.int().min(1).max(100).default(2),
    unhealthy_threshold: z.int().min(1).max(100).default(3),
  })
  .meta({ id: 'HealthCheck', description: 'How servers are probed; times are in seconds.' })

/** What a user says about an upstream; defaults fill what is left out. */
export const upstreamInput = z
  .strictObject({
    name,
    algorithm: z.enum(algorithms, `must be one of ${algorithms.join(', ')}`).default('round_robin'),
    servers: z.array(upstreamServer).min(1, 'must hold at least one server').max(10_000),
    health_check: healthCheck.nullable().default(null),
    keepalive_connections: z.int().min(0, 'must be from 0 to 65535').max(65_535, 'must be from 0 to 65535').default(0),
  })
  .meta({ id: 'UpstreamInput' })

export type UpstreamServer = z.infer<typeof upstreamServer>
export type HealthCheck = z.infer<typeof healthCheck>
export type UpstreamInput = z.infer<typeof upstreamInput>

/** An upstream as the API shows it. */
export const upstream = upstreamInput
  .extend({ id, workspace_id: id, created_at: timestamp, updated_at: timestamp })
  .meta({ id: 'Upstream' })

export type Upstream = z.infer<typeof upstream>

/** Tells whether nginx takes this as the address of an upstream's server. Source: nginx upstream module, "server". */
export function isServerAddress(text: string): boolean {
  if (text.length > 500) return false
  if (text.startsWith('unix:')) return /^unix:\/[A-Za-z0-9_./@+-]+$/.test(text)
  const parts = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?)(?::(\d{1,5}))?$/.exec(text)
  if (!parts) return false
  const host = parts[1]!
  if (host.startsWith('[') && !isIpv6(host.slice(1, -1))) return false
  if (/^[0-9.]+$/.test(host) && !isIpv4(host)) return false
  return parts[3] === undefined || (Number(parts[3]) >= 1 && Number(parts[3]) <= 65_535)
}

function isIpv4(text: string): boolean {
  return /^(\d{1,3})(\.\d{1,3}){3}$/.test(text) && text.split('.').every((part) => Number(part) <= 255)
}

function isIpv6(text: string): boolean {
  return z.ipv6().safeParse(text).success
}
