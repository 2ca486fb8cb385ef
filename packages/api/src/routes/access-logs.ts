import { accessLogEntry, errorLogEntry, topBy, topEntry } from '@nxmesh/model/access-log'
import { id } from '@nxmesh/model/text'
import { z } from 'zod'
import { moment } from '../moment.ts'
import { ids, route, whole } from '../route.ts'

const text = (max: number) =>
  z
    .string()
    .min(1, 'must not be empty')
    .max(max, `must be at most ${max} characters`)
    .refine((value) => !value.includes('\0'), 'must not contain a NUL character')

const window = {
  from: moment.meta({ description: 'Only what came at or after this time; an hour before `to` when left out.' }),
  to: moment.meta({ description: 'Only what came before this time; now when left out.' }),
}

const filters = {
  ...window,
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

const page = {
  limit: whole(1000).default(100),
  cursor: text(200).optional().meta({ description: 'The `next_cursor` of the page before; it keeps to the `from` and `to` of the first.' }),
}

const meta = z.strictObject({ total: z.int(), limit: z.int(), next_cursor: z.string().optional() }).meta({ id: 'CursorMeta' })

const accessLogQuery = z.strictObject({ ...filters, ...page })
const topQuery = z.strictObject({ ...filters, by: z.enum(topBy), limit: whole(100).default(10) })
const errorLogQuery = z.strictObject({
  ...window,
  level: text(50).optional(),
  agent_id: filters.agent_id,
  q: text(200).optional(),
  ...page,
})

export type AccessLogQuery = z.output<typeof accessLogQuery>
export type TopQuery = z.output<typeof topQuery>
export type ErrorLogQuery = z.output<typeof errorLogQuery>

export const listAccessLogs = route({
  id: 'access-log.list',
  method: 'GET',
  path: '/workspaces/{workspace_id}/access-logs',
  summary: 'List the requests that agents logged, newest first',
  access: { on: 'workspace', need: 'viewer' },
  params: ids('workspace_id'),
  query: accessLogQuery,
  response: z.strictObject({ data: z.array(accessLogEntry), meta }).meta({ id: 'AccessLogPage' }),
})

export const topAccessLogs = route({
  id: 'access-log.top',
  method: 'GET',
  path: '/workspaces/{workspace_id}/access-logs/top',
  summary: 'Count the requests that agents logged by path, address, user agent, upstream, host or status',
  access: { on: 'workspace', need: 'viewer' },
  params: ids('workspace_id'),
  query: topQuery,
  response: z.strictObject({ data: z.array(topEntry), meta }).meta({ id: 'TopList' }),
})

export const listErrorLogs = route({
  id: 'error-log.list',
  method: 'GET',
  path: '/workspaces/{workspace_id}/error-logs',
  summary: 'List the lines of the error logs of agents, newest first',
  access: { on: 'workspace', need: 'viewer' },
  params: ids('workspace_id'),
  query: errorLogQuery,
  response: z.strictObject({ data: z.array(errorLogEntry), meta }).meta({ id: 'ErrorLogPage' }),
})
