import type { Client } from '@nxmesh/api/client'
import { routes } from '@nxmesh/api/routes'
import type { AccessLogEntry } from '@nxmesh/model/access-log'
import { freePort } from './ports.ts'
import { until } from './until.ts'

interface Place {
  client: Client
  workspaceId: string
}

export interface Host {
  id: string
  port: number
  name: string
}

/** Adds a virtual host that answers by itself: `/` with 200, `/gone` with 404, `/broken` with 502. */
export async function addHost({ client, workspaceId }: Place, name: string): Promise<Host> {
  const port = await freePort()
  const answers = Object.entries({ '/': 200, '/gone': 404, '/broken': 502 })
  const locations = answers.map(([path, status]) => ({ path, custom_directives: { return: `${status} "${name}"` } }))
  const body = { name, server_name: `${name}.test`, listen_port: port, locations }
  const { id } = await client.call(routes.createVirtualHost, { params: { workspace_id: workspaceId }, body })
  return { id, port, name: `${name}.test` }
}

/** What the agents of a workspace served in the last hour. */
export function metricsOf({ client, workspaceId }: Place) {
  return client.call(routes.getWorkspaceMetrics, { params: { workspace_id: workspaceId }, query: {} })
}

/** Every line of the access logs that the master has, oldest first. */
export async function linesOf({ client, workspaceId }: Place): Promise<AccessLogEntry[]> {
  const lines: AccessLogEntry[] = []
  let cursor: string | undefined
  do {
    const query = { limit: '1000', ...(cursor === undefined ? {} : { cursor }) }
    const page = await client.call(routes.listAccessLogs, { params: { workspace_id: workspaceId }, query })
    lines.push(...page.data)
    cursor = page.meta.next_cursor
  } while (cursor !== undefined)
  return lines.reverse()
}

/** Waits until so many requests have arrived at the master, and returns what it has of them then. */
export async function arrived(
  place: Place,
  requests: number,
  seconds = 60,
): Promise<{ counted: number; lines: number; different: number }> {
  await until(`${requests} requests counted`, async () => (await metricsOf(place)).requests_total >= requests, seconds)
  const list = routes.listAccessLogs
  const query = { limit: '1' }
  const total = async () => (await place.client.call(list, { params: { workspace_id: place.workspaceId }, query })).meta.total
  await until(`${requests} lines`, async () => (await total()) >= requests, seconds)
  const lines = await linesOf(place)
  const different = new Set(lines.map(({ request_id }) => request_id)).size
  return { counted: (await metricsOf(place)).requests_total, lines: lines.length, different }
}

/** What has arrived when each of so many requests has, once. */
export function each(requests: number) {
  return { counted: requests, lines: requests, different: requests }
}
