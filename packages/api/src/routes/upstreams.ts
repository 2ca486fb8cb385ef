import { upstream, upstreamInput } from '@nxmesh/model/upstream'
import { upstreamHealth } from '@nxmesh/model/upstream-health'
import type { z } from 'zod'
import { type Patch, patchOf } from '../merge-patch.ts'
import { ids, pageOf, paging, route } from '../route.ts'

export const listUpstreams = route({
  id: 'upstream.list',
  method: 'GET',
  path: '/workspaces/{workspace_id}/upstreams',
  summary: 'List the upstreams of a workspace',
  access: { on: 'workspace', need: 'viewer' },
  params: ids('workspace_id'),
  query: paging,
  response: pageOf(upstream),
})

export const createUpstream = route({
  id: 'upstream.create',
  method: 'POST',
  path: '/workspaces/{workspace_id}/upstreams',
  summary: 'Create an upstream',
  access: { on: 'workspace', need: 'operator' },
  params: ids('workspace_id'),
  body: upstreamInput,
  response: upstream,
  status: 201,
})

export const getUpstream = route({
  id: 'upstream.get',
  method: 'GET',
  path: '/upstreams/{upstream_id}',
  summary: 'Get an upstream',
  access: { on: 'upstream', need: 'viewer' },
  params: ids('upstream_id'),
  response: upstream,
})

export const getUpstreamHealth = route({
  id: 'upstream.get-health',
  method: 'GET',
  path: '/upstreams/{upstream_id}/health',
  summary: 'List the agents that probe the servers of an upstream, and what they say of each',
  access: { on: 'upstream', need: 'viewer' },
  params: ids('upstream_id'),
  query: paging,
  response: pageOf(upstreamHealth),
})

export const updateUpstream = route({
  id: 'upstream.update',
  method: 'PATCH',
  path: '/upstreams/{upstream_id}',
  summary: 'Change an upstream',
  access: { on: 'upstream', need: 'operator' },
  params: ids('upstream_id'),
  body: patchOf(upstreamInput),
  response: upstream,
})

export const deleteUpstream = route({
  id: 'upstream.delete',
  method: 'DELETE',
  path: '/upstreams/{upstream_id}',
  summary: 'Delete an upstream',
  access: { on: 'upstream', need: 'operator' },
  params: ids('upstream_id'),
})

export type UpstreamPatch = Patch<z.input<typeof upstreamInput>>
