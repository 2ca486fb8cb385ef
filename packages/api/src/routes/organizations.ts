import { organization, organizationInput } from '@nxmesh/model/organization'
import { z } from 'zod'
import { patchOf } from '../merge-patch.ts'
import { ids, pageOf, paging, route } from '../route.ts'

export const listOrganizations = route({
  id: 'organization.list',
  method: 'GET',
  path: '/organizations',
  summary: 'List the organizations you belong to',
  access: { on: 'user' },
  query: paging,
  response: pageOf(organization),
})

export const createOrganization = route({
  id: 'organization.create',
  method: 'POST',
  path: '/organizations',
  summary: 'Create an organization and become its owner',
  access: { on: 'user', by: 'person' },
  body: organizationInput,
  response: organization,
  status: 201,
})

export const getOrganization = route({
  id: 'organization.get',
  method: 'GET',
  path: '/organizations/{organization_id}',
  summary: 'Get an organization',
  access: { on: 'organization', need: 'member' },
  params: ids('organization_id'),
  response: organization,
})

export const updateOrganization = route({
  id: 'organization.update',
  method: 'PATCH',
  path: '/organizations/{organization_id}',
  summary: 'Change an organization',
  access: { on: 'organization', need: 'admin' },
  params: ids('organization_id'),
  body: patchOf(organizationInput),
  response: organization,
})

export const deleteOrganization = route({
  id: 'organization.delete',
  method: 'DELETE',
  path: '/organizations/{organization_id}',
  summary: 'Delete an organization and everything in it',
  access: { on: 'organization', need: 'owner' },
  params: ids('organization_id'),
  query: z.strictObject({ force: z.enum(['true', 'false']).default('false') }),
})
