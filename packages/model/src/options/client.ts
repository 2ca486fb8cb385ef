import { z } from 'zod'
import { seconds, size } from './units.ts'

const hour = 3600

/** What is asked of clients in a location: how large their bodies may be, and how long they may take. */
export const locationClient = z
  .strictObject({
    max_body_size: size
      .optional()
      .meta({ description: 'The largest body of a request, such as `20m`; 0 is without limit. nginx takes 1m where it is absent.' }),
    body_timeout: seconds(1, hour).optional().meta({ description: 'Between two reads of a body, in seconds.' }),
    send_timeout: seconds(1, hour).optional().meta({ description: 'Between two writes of an answer, in seconds.' }),
    keepalive_timeout: seconds(0, hour)
      .optional()
      .meta({ description: 'How long an idle connection is kept, in seconds; 0 closes it after each answer.' }),
  })
  .meta({ id: 'LocationClientOptions', description: 'The client_ directives of nginx, send_timeout and keepalive_timeout.' })

/** What is asked of clients by a virtual host or all of them. */
export const client = locationClient
  .extend({
    header_timeout: seconds(1, hour)
      .optional()
      .meta({ description: 'For the head of a request to arrive, in seconds. nginx takes that of the default server of the port.' }),
  })
  .meta({ id: 'ClientOptions', description: 'The client_ directives of nginx, send_timeout and keepalive_timeout.' })

export type ClientOptions = z.infer<typeof client>
