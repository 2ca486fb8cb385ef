import type { Client } from '@nxmesh/api/client'
import { routes } from '@nxmesh/api/routes'
import { type Answer, get } from './get.ts'
import { type Load, startLoad } from './load.ts'
import { startOrigin } from './origin.ts'
import { freePort } from './ports.ts'

export interface Site extends AsyncDisposable {
  id: string
  upstreamId: string
  port: number
  serverName: string
  get(path?: string): Promise<Answer>
  /** Begins to request it without pause; every answer that is not its origin's counts as failed. */
  load(): Load
}

/** Adds a virtual host on a free port with an upstream and one origin behind it, which answers with the site's name. */
export async function addSite(mesh: { client: Client; workspaceId: string }, name: string): Promise<Site> {
  const origin = await startOrigin(name)
  const params = { workspace_id: mesh.workspaceId }
  const servers = [{ address: origin.address }]
  const upstream = await mesh.client.call(routes.createUpstream, { params, body: { name: `${name}-upstream`, servers } })
  const port = await freePort()
  const serverName = `${name}.test`
  const locations = [{ path: '/', upstream_id: upstream.id }]
  const body = { name, server_name: serverName, listen_port: port, locations }
  const { id } = await mesh.client.call(routes.createVirtualHost, { params, body })
  return {
    id,
    upstreamId: upstream.id,
    port,
    serverName,
    get: (path) => get(port, serverName, path),
    load: () => startLoad(port, serverName, (answer) => answer === name, 2),
    [Symbol.asyncDispose]: () => origin[Symbol.asyncDispose](),
  }
}
