import { virtualHost, virtualHostInput } from '@nxmesh/model/virtual-host'
import type { z } from 'zod'
import { type Patch, patchOf } from '../merge-patch.ts'
import { ids, pageOf, paging, route } from '../route.ts'

export const listVirtualHosts = route({
  id: 'virtual-host.list',
  method: 'GET',
  path: '/workspaces/{workspace_id}/virtual-hosts',
  summary: 'List the virtual hosts of a workspace',
  access: { on: 'workspace', need: 'viewer' },
  params: ids('workspace_id'),
  query: paging,
  response: pageOf(virtualHost),
})

export const createVirtualHost = route({
  id: 'virtual-host.create',
  method: 'POST',
  path: '/workspaces/{workspace_id}/virtual-hosts',
  summary: 'Create a virtual host',
  access: { on: 'workspace', need: 'operator' },
  params: ids('workspace_id'),
  body: virtualHostInput,
  response: virtualHost,
  status: 201,
})

export const getVirtualHost = route({
  id: 'virtual-host.get',
  method: 'GET',
  path: '/virtual-hosts/{virtual_host_id}',
  summary: 'Get a virtual host',
  access: { on: 'virtual_host', need: 'viewer' },
  params: ids('virtual_host_id'),
  response: virtualHost,
})

export const updateVirtualHost = route({
  id: 'virtual-host.update',
  method: 'PATCH',
  path: '/virtual-hosts/{virtual_host_id}',
  summary: 'Change a virtual host',
  access: { on: 'virtual_host', need: 'operator' },
  params: ids('virtual_host_id'),
  body: patchOf(virtualHostInput),
  response: virtualHost,
})

export const deleteVirtualHost = route({
  id: 'virtual-host.delete',
  method: 'DELETE',
  path: '/virtual-hosts/{virtual_host_id}',
  summary: 'Delete a virtual host',
  access: { on: 'virtual_host', need: 'operator' },
  params: ids('virtual_host_id'),
})

export type VirtualHostPatch = Patch<z.input<typeof virtualHostInput>>
