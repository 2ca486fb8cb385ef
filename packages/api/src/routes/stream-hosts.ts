import { streamHost, streamHostInput } from '@nxmesh/model/stream-host'
import type { z } from 'zod'
import { type Patch, patchOf } from '../merge-patch.ts'
import { ids, pageOf, paging, route } from '../route.ts'

export const listStreamHosts = route({
  id: 'stream-host.list',
  method: 'GET',
  path: '/workspaces/{workspace_id}/stream-hosts',
  summary: 'List the stream hosts of a workspace',
  access: { on: 'workspace', need: 'viewer' },
  params: ids('workspace_id'),
  query: paging,
  response: pageOf(streamHost),
})

export const createStreamHost = route({
  id: 'stream-host.create',
  method: 'POST',
  path: '/workspaces/{workspace_id}/stream-hosts',
  summary: 'Create a stream host',
  access: { on: 'workspace', need: 'operator' },
  params: ids('workspace_id'),
  body: streamHostInput,
  response: streamHost,
  status: 201,
})

export const getStreamHost = route({
  id: 'stream-host.get',
  method: 'GET',
  path: '/stream-hosts/{stream_host_id}',
  summary: 'Get a stream host',
  access: { on: 'stream_host', need: 'viewer' },
  params: ids('stream_host_id'),
  response: streamHost,
})

export const updateStreamHost = route({
  id: 'stream-host.update',
  method: 'PATCH',
  path: '/stream-hosts/{stream_host_id}',
  summary: 'Change a stream host',
  access: { on: 'stream_host', need: 'operator' },
  params: ids('stream_host_id'),
  body: patchOf(streamHostInput),
  response: streamHost,
})

export const deleteStreamHost = route({
  id: 'stream-host.delete',
  method: 'DELETE',
  path: '/stream-hosts/{stream_host_id}',
  summary: 'Delete a stream host',
  access: { on: 'stream_host', need: 'operator' },
  params: ids('stream_host_id'),
})

export type StreamHostPatch = Patch<z.input<typeof streamHostInput>>
