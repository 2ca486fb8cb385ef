import { z } from 'zod'
import { acceptProxyProtocol } from './accept-proxy-protocol.ts'
import { accessRules } from './access.ts'
import { seconds, size } from './units.ts'

const day = 86_400
const count = z.int().min(0, 'must be from 0 to 1000000').max(1_000_000, 'must be from 0 to 1000000')

/** How a stream host passes on what it gets. */
const streamProxy = z
  .strictObject({
    connect_timeout: seconds(1, 75).optional(),
    timeout: seconds(1, 30 * day)
      .optional()
      .meta({ description: 'How long neither side may say anything, in seconds; 600 where it is absent.' }),
    upload_rate: size.optional().meta({ description: 'Bytes a second that are read from each client.' }),
    download_rate: size.optional().meta({ description: 'Bytes a second that are read from the upstream for each client.' }),
    requests: count.optional().meta({ description: 'UDP: datagrams of a client after which the next one begins a new session.' }),
    responses: count.optional().meta({ description: 'UDP: datagrams that the upstream answers with; 0 where it never does.' }),
    send_proxy_protocol: z
      .boolean()
      .optional()
      .meta({ description: "TCP: the client's address goes before the data, in the PROXY protocol." }),
    ssl: z.boolean().optional().meta({ description: 'TCP: the upstream is spoken to by TLS.' }),
    ssl_name: z
      .string()
      .max(253, 'must be at most 253 characters')
      .regex(/^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$/, 'must be a host name')
      .optional()
      .meta({ description: 'The name that is asked for in the TLS of the upstream.' }),
  })
  .meta({ id: 'StreamProxyOptions', description: 'The proxy_ directives of the stream module.' })

const streamAccess = z
  .strictObject({ rules: accessRules })
  .meta({ id: 'StreamAccessOptions', description: 'Rules by address, in order: the first that fits decides. Whom they deny is cut off.' })

const streamLimitConn = z
  .strictObject({
    connections: z.int().min(1, 'must be from 1 to 65535').max(65_535, 'must be from 1 to 65535'),
    dry_run: z.boolean().default(false).meta({ description: 'Only counts and logs, and refuses nothing.' }),
  })
  .meta({ id: 'StreamLimitConnOptions', description: 'The sessions of one address at once; those beyond are cut off.' })

/** Typed options of a stream host. Like all of them they are absent unless asked for. */
export const streamOptions = {
  proxy: streamProxy.optional(),
  access: streamAccess.optional(),
  limit_conn: streamLimitConn.optional(),
  accept_proxy_protocol: acceptProxyProtocol.optional(),
}

const streamObject = z.strictObject(streamOptions)

export type StreamOptions = z.infer<typeof streamObject>
export type StreamProxyOptions = z.infer<typeof streamProxy>
