import { z } from 'zod'
import { listenAddresses } from './listen-addresses.ts'
import { customDirectives, extraDirectives, location } from './location.ts'
import { acceptProxyProtocol } from './options/accept-proxy-protocol.ts'
import { serverOptions } from './options.ts'
import { parseServerNames } from './server-name.ts'
import { targetAgents } from './target-agents.ts'
import { id, name, timestamp } from './text.ts'
import { tlsOptions } from './tls.ts'

const serverName = z
  .string()
  .max(10_000, 'must be at most 10000 characters')
  .superRefine((text, ctx) => {
    const parsed = parseServerNames(text)
    if (!parsed.ok) ctx.addIssue({ code: 'custom', message: parsed.message, params: { code: 'INVALID_FORMAT' } })
  })
  .meta({ description: 'Names separated by spaces, as in the `server_name` directive of nginx.' })

/** What a user says about a virtual host; defaults fill what is left out. */
export const virtualHostInput = z
  .strictObject({
    name,
    server_name: serverName,
    listen_port: z.int().min(1, 'must be from 1 to 65535').max(65_535, 'must be from 1 to 65535'),
    listen_addresses: listenAddresses.optional(),
    accept_proxy_protocol: acceptProxyProtocol.optional(),
    ssl_enabled: z.boolean().default(false),
    ssl_certificate_id: id.nullable().default(null),
    tls: tlsOptions.optional(),
    ...serverOptions,
    http2_enabled: z.boolean().default(false),
    http3_enabled: z.boolean().default(false),
    locations: z.array(location).max(1000).default([]),
    custom_directives: customDirectives.default({}),
    extra_directives: extraDirectives.optional(),
    target_agents: targetAgents.default({ type: 'all' }),
  })
  .meta({ id: 'VirtualHostInput' })

export type VirtualHostInput = z.infer<typeof virtualHostInput>

/** A virtual host as the API shows it. */
export const virtualHost = virtualHostInput
  .extend({
    id,
    workspace_id: id,
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'VirtualHost' })

export type VirtualHost = z.infer<typeof virtualHost>
