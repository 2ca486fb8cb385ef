import { z } from 'zod'
import { id } from './text.ts'

const visible = /^[\x21-\x7e]+$/
const address = z.union([z.ipv4(), z.ipv6()], 'must be an IP address')

/** A request that nobody sends: what would nginx do with it? */
export const explainInput = z
  .strictObject({
    agent_id: id,
    config: z
      .enum(['desired', 'applied'])
      .default('desired')
      .meta({ description: 'Whether to read what the agent must serve or what it has applied.' }),
    method: z
      .string()
      .max(50, 'must be at most 50 characters')
      .regex(/^[A-Z][A-Z_-]*$/, 'must be a method in capital letters')
      .default('GET'),
    scheme: z.enum(['http', 'https']).default('http'),
    host: z.string().max(300, 'must be at most 300 characters').regex(visible, 'must be visible ASCII characters, as in the Host header'),
    port: z
      .int()
      .min(1, 'must be from 1 to 65535')
      .max(65_535, 'must be from 1 to 65535')
      .optional()
      .meta({ description: 'The port connected to: absent, that of the host, else 80 or 443.' }),
    path: z
      .string()
      .max(8000, 'must be at most 8000 characters')
      .regex(/^\/[\x21-\x7e]*$/, 'must begin with "/", with all but visible ASCII characters percent-encoded')
      .default('/')
      .meta({ description: 'With the query, as in the first line of a request.' }),
    headers: z
      .record(
        z
          .string()
          .max(256, 'must be at most 256 characters')
          .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'must be a header name (RFC 9110 token)'),
        z
          .string()
          .max(8000, 'must be at most 8000 characters')
          .regex(/^[^\x00-\x1f\x7f]*$/, 'must not contain control characters'),
      )
      .refine((headers) => Object.keys(headers).length <= 100, 'must be at most 100 headers')
      .default({}),
    source_address: address.default('127.0.0.1'),
    proxy_protocol_address: address.optional().meta({
      description: "The client's address in a header of the PROXY protocol that goes before the request; absent: none is sent.",
    }),
    destination_address: address
      .optional()
      .meta({ description: 'The address connected to; needed only where a port is listened on at several.' }),
    existing_files: z
      .array(z.string().max(4096, 'must be at most 4096 characters').startsWith('/', 'must be an absolute path'))
      .max(1000, 'must be at most 1000 paths')
      .optional()
      .meta({
        description:
          'The files on the host that the workers of nginx may read, and folders with a "/" at their end: nothing else is. Absent, the answer says what it assumes.',
      }),
  })
  .meta({ id: 'ExplainInput' })

export type ExplainInput = z.infer<typeof explainInput>

/** Where a directive stands, and the object and field that it comes from. */
export const configPlace = z
  .strictObject({
    file: z.string(),
    line: z.int(),
    directive: z.string(),
    kind: z.enum(['virtual_host', 'stream_host', 'upstream', 'settings']).optional(),
    id: z.string().optional(),
    name: z.string().optional(),
    field: z.string().optional(),
  })
  .meta({ id: 'ConfigPlace', description: 'Where a directive stands, and the object and field that it comes from.' })

export type ConfigPlace = z.infer<typeof configPlace>

const place = configPlace.nullable()
const status = z.int()

const explainedHeader = z
  .strictObject({
    name: z.string(),
    value: z.string().nullable().meta({ description: 'Null where only a running nginx knows it.' }),
    from: z.enum(['directive', 'client', 'nginx']),
    only_if_status: z.boolean().meta({ description: 'Whether it is left out for statuses other than 200, 201, 204, 206 and redirects.' }),
    place,
  })
  .meta({ id: 'ExplainedHeader' })

export type ExplainedHeader = z.infer<typeof explainedHeader>

const explainedServer = z
  .strictObject({ address: z.string(), weight: z.int(), backup: z.boolean(), down: z.boolean(), place })
  .meta({ id: 'ExplainedServer' })

export type ExplainedServer = z.infer<typeof explainedServer>

const outcome = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('proxy'),
      directive: z.string().meta({ description: '`proxy_pass` or another that hands requests on.' }),
      method: z.string(),
      url: z.string().meta({ description: 'Scheme, upstream and the URI that it is asked for.' }),
      uri: z.string(),
      upstream: z.string().nullable().meta({ description: 'The upstream block; null where an address is named.' }),
      balancing: z.string().nullable(),
      servers: z.array(explainedServer),
      http_version: z.string().nullable().meta({ description: 'Null where it depends on the release of nginx.' }),
      headers: z.array(explainedHeader).meta({ description: 'What the upstream gets: headers, or parameters of FastCGI, uwsgi and SCGI.' }),
      status_kept: z.int().nullable().meta({ description: 'The status that an error page keeps whatever the upstream says.' }),
      place,
    }),
    z.strictObject({ kind: z.literal('file'), path: z.string(), status, place }),
    z.strictObject({ kind: z.literal('listing'), path: z.string(), status, place }),
    z.strictObject({ kind: z.literal('answer'), status, body: z.string(), place }),
    z.strictObject({ kind: z.literal('redirect'), status, location: z.string(), place }),
    z.strictObject({ kind: z.literal('error'), status, place }),
    z.strictObject({ kind: z.literal('closed'), reason: z.string(), place }),
    z.strictObject({ kind: z.literal('handler'), directive: z.string(), place }),
    z.strictObject({ kind: z.literal('unknown'), reason: z.string(), place }),
  ])
  .meta({ id: 'ExplainOutcome' })

export type ExplainOutcome = z.infer<typeof outcome>

const note = z.strictObject({ message: z.string(), place }).meta({ id: 'ExplainNote' })

/** What nginx would do with a request, and why. */
export const explanation = z
  .strictObject({
    outcome,
    server: z
      .strictObject({
        names: z.array(z.string()),
        address: z.string(),
        reason: z.enum(['exact_name', 'leading_wildcard', 'trailing_wildcard', 'regex_name', 'default_server', 'first_server']),
        matched: z.string().nullable(),
        place,
      })
      .meta({ id: 'ExplainedVirtualServer' })
      .nullable(),
    location: z
      .strictObject({
        path: z.string(),
        reason: z.enum(['exact', 'prefix_without_regex', 'regex', 'longest_prefix', 'final_slash', 'named', 'none']),
        place,
      })
      .meta({ id: 'ExplainedLocation' })
      .nullable(),
    steps: z.array(z.strictObject({ kind: z.string(), message: z.string(), place }).meta({ id: 'ExplainStep' })),
    stopped_by: note.nullable().meta({ description: 'The directive that refuses the request.' }),
    response_headers: z.array(explainedHeader),
    cautions: z.array(note).meta({ description: 'What may still stop the request or answer it in another way.' }),
    assumptions: z.array(z.string()).meta({ description: 'What was taken for granted, as only the host knows it.' }),
  })
  .meta({ id: 'Explanation' })

export type Explanation = z.infer<typeof explanation>
