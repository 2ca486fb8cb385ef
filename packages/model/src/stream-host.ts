import { z } from 'zod'
import { listenPlaces } from './listen-addresses.ts'
import { customDirectives, extraDirectives } from './location.ts'
import { streamOptions } from './options/stream.ts'
import { targetAgents } from './target-agents.ts'
import { id, name, timestamp } from './text.ts'
import { tlsPolicy } from './tls.ts'

export const streamProtocols = ['tcp', 'udp'] as const

/** What a user says about a stream host: a port whose connections or datagrams go to an upstream as they are. Defaults fill what is left out. */
export const streamHostInput = z
  .strictObject({
    name,
    protocol: z.enum(streamProtocols, 'must be tcp or udp').default('tcp'),
    listen_port: z.int().min(1, 'must be from 1 to 65535').max(65_535, 'must be from 1 to 65535'),
    listen_addresses: listenPlaces.optional(),
    upstream_id: id.optional().meta({ description: 'Where it goes; each server of the upstream must have a port.' }),
    ssl_enabled: z.boolean().default(false).meta({ description: 'TLS ends here, and the upstream gets what was in it.' }),
    ssl_certificate_id: id.nullable().default(null),
    tls_policy: tlsPolicy.optional().meta({ description: 'That of the settings where it is absent.' }),
    ...streamOptions,
    custom_directives: customDirectives.default({}),
    extra_directives: extraDirectives.optional(),
    target_agents: targetAgents.default({ type: 'all' }),
  })
  .meta({ id: 'StreamHostInput' })

export type StreamHostInput = z.infer<typeof streamHostInput>

/** A stream host as the API shows it. */
export const streamHost = streamHostInput
  .extend({ id, workspace_id: id, created_at: timestamp, updated_at: timestamp })
  .meta({ id: 'StreamHost' })

export type StreamHost = z.infer<typeof streamHost>
