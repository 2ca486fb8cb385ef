import { z } from 'zod'
import { seconds } from './units.ts'

const day = 86_400

const buffers = z
  .strictObject({
    number: z.int().min(4, 'must be from 4 to 1024').max(1024, 'must be from 4 to 1024').default(8),
    size: z.string().regex(/^([1-9]\d{0,4}[kK]|[1-9]\d{0,2}[mM])$/, 'must be a number of kilobytes or megabytes, such as 16k'),
  })
  .meta({
    id: 'ProxyBuffers',
    description:
      'For each connection. The head of an answer must fit into one of them; proxy_buffer_size and proxy_busy_buffers_size follow from it.',
  })

/** How requests are passed to upstreams: by HTTP and, where nginx has a directive of the same meaning, by gRPC. */
export const proxy = z
  .strictObject({
    connect_timeout: seconds(1, 75).optional(),
    send_timeout: seconds(1, 30 * day)
      .optional()
      .meta({ description: 'Between two writes of a request, in seconds.' }),
    read_timeout: seconds(1, 30 * day)
      .optional()
      .meta({ description: 'Between two reads of an answer, in seconds; a WebSocket that is silent for longer is closed.' }),
    buffering: z.boolean().optional().meta({
      description: 'Whether answers are read as fast as the upstream sends; false passes on each piece at once, as event streams want.',
    }),
    request_buffering: z.boolean().optional().meta({ description: 'Whether bodies are read whole before the upstream is asked.' }),
    buffers: buffers.optional(),
  })
  .meta({ id: 'ProxyOptions', description: 'The proxy_ directives of nginx; times are in seconds.' })

export type ProxyOptions = z.infer<typeof proxy>
