import type { Event } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'

/** What an agent tells of a server of an upstream the moment it happens; its state stands in the health reports too. */
export interface ServerChange {
  kind: 'down' | 'up'
  upstream_id: string
  upstream_name: string
  address: string
  error: string | null
}

/** Reads an event of type `upstream.server_down` or `upstream.server_up`; undefined for any other. */
export function readServerEvent({ eventType, data }: Event): ServerChange | { kind: 'malformed'; reason: string } | undefined {
  const kind = /^upstream\.server_(down|up)$/.exec(eventType)?.[1] as 'down' | 'up' | undefined
  if (kind === undefined) return undefined
  const { upstream_id = '', upstream_name = '', address = '', error = '' } = data
  for (const [field, text] of Object.entries({ upstream_id, address })) {
    if (text === '' || text.length > 500) return { kind: 'malformed', reason: `data.${field} must be a text of at most 500 characters` }
  }
  return { kind, upstream_id, upstream_name: upstream_name.slice(0, 500), address, error: error === '' ? null : error.slice(0, 500) }
}
