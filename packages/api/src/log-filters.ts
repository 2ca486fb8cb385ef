import { id } from '@nxmesh/model/text'
import { z } from 'zod'

const text = (max: number) =>
  z
    .string()
    .min(1, 'must not be empty')
    .max(max, `must be at most ${max} characters`)
    .refine((value) => !value.includes('\0'), 'must not contain a NUL character')

/** What requests are chosen by, besides when they came. */
export const accessLogFilters = {
  status_code: z
    .string()
    .regex(/^[1-9](\d\d|xx)$/, 'must be as 500 or 5xx')
    .optional()
    .meta({ description: 'A status, or a class of them: `500`, `5xx`.' }),
  agent_id: id.optional(),
  virtual_host_id: id.optional(),
  host: text(255).optional(),
  method: text(20).optional(),
  uri: text(2000).optional().meta({ description: 'What it begins with.' }),
  remote_addr: text(100).optional(),
  request_id: text(200).optional(),
  q: text(200).optional().meta({
    description: 'Part of the URI, host, address, user agent, referer, request id or upstream address, in either case.',
  }),
}

/** What lines of error logs are chosen by, besides when they came. */
export const errorLogFilters = { level: text(50).optional(), agent_id: id.optional(), q: text(200).optional() }
