import { accessLogEntry, errorLogEntry, topBy, topEntry } from '@nxmesh/model/access-log'
import { z } from 'zod'
import { accessLogFilters, errorLogFilters } from '../log-filters.ts'
import { moment } from '../moment.ts'
import { ids, route, whole } from '../route.ts'

const window = {
  from: moment.meta({ description: 'Only what came at or after this time; an hour before `to` when left out.' }),
  to: moment.meta({ description: 'Only what came before this time; now when left out.' }),
}

const page = {
  limit: whole(1000).default(100),
  cursor: z
    .string()
    .min(1, 'must not be empty')
    .max(200, 'must be at most 200 characters')
    .optional()
    .meta({ description: 'The `next_cursor` of the page before; it keeps to the `from` and `to` of the first.' }),
}

const meta = z.strictObject({ total: z.int(), limit: z.int(), next_cursor: z.string().optional() }).meta({ id: 'CursorMeta' })

const accessLogQuery = z.strictObject({ ...window, ...accessLogFilters, ...page })
const topQuery = z.strictObject({ ...window, ...accessLogFilters, by: z.enum(topBy), limit: whole(100).default(10) })
const errorLogQuery = z.strictObject({ ...window, ...errorLogFilters, ...page })

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
