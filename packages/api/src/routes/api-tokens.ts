import { apiToken, apiTokenInput, createdApiToken } from '@nxmesh/model/api-token'
import { ids, pageOf, paging, route } from '../route.ts'

export const listApiTokens = route({
  id: 'api-token.list',
  method: 'GET',
  path: '/tokens',
  summary: 'List your API tokens',
  access: { on: 'user', by: 'person' },
  query: paging,
  response: pageOf(apiToken),
})

export const createApiToken = route({
  id: 'api-token.create',
  method: 'POST',
  path: '/tokens',
  summary: 'Create an API token that acts as you, in one organization or workspace and up to a role',
  access: { on: 'user', by: 'person' },
  body: apiTokenInput,
  response: createdApiToken,
  status: 201,
})

export const getApiToken = route({
  id: 'api-token.get',
  method: 'GET',
  path: '/tokens/{token_id}',
  summary: 'Get an API token, without its secret',
  access: { on: 'api_token', by: 'person' },
  params: ids('token_id'),
  response: apiToken,
})

export const deleteApiToken = route({
  id: 'api-token.delete',
  method: 'DELETE',
  path: '/tokens/{token_id}',
  summary: 'Delete an API token; it stops working at once',
  access: { on: 'api_token', by: 'person' },
  params: ids('token_id'),
})
