import { acmeAccount, acmeAccountChange, acmeAccountInput } from '@nxmesh/model/acme-account'
import type { z } from 'zod'
import { type Patch, patchOf } from '../merge-patch.ts'
import { ids, pageOf, paging, route } from '../route.ts'

export const listAcmeAccounts = route({
  id: 'acme-account.list',
  method: 'GET',
  path: '/workspaces/{workspace_id}/acme-accounts',
  summary: 'List the accounts of a workspace at ACME servers',
  access: { on: 'workspace', need: 'viewer' },
  params: ids('workspace_id'),
  query: paging,
  response: pageOf(acmeAccount),
})

export const createAcmeAccount = route({
  id: 'acme-account.create',
  method: 'POST',
  path: '/workspaces/{workspace_id}/acme-accounts',
  summary: 'Add an account at an ACME server, which is registered with its first order',
  access: { on: 'workspace', need: 'admin' },
  params: ids('workspace_id'),
  body: acmeAccountInput,
  response: acmeAccount,
  status: 201,
})

export const getAcmeAccount = route({
  id: 'acme-account.get',
  method: 'GET',
  path: '/acme-accounts/{acme_account_id}',
  summary: 'Get an account at an ACME server',
  access: { on: 'acme_account', need: 'viewer' },
  params: ids('acme_account_id'),
  response: acmeAccount,
})

export const updateAcmeAccount = route({
  id: 'acme-account.update',
  method: 'PATCH',
  path: '/acme-accounts/{acme_account_id}',
  summary: 'Change an account at an ACME server',
  access: { on: 'acme_account', need: 'admin' },
  params: ids('acme_account_id'),
  body: patchOf(acmeAccountChange),
  response: acmeAccount,
})

export const rotateAcmeAccountKey = route({
  id: 'acme-account.rotate-key',
  method: 'POST',
  path: '/acme-accounts/{acme_account_id}/rotate-key',
  summary: 'Give an account a new key',
  access: { on: 'acme_account', need: 'admin' },
  params: ids('acme_account_id'),
  response: acmeAccount,
  errors: ['CONFLICT', 'SERVICE_UNAVAILABLE'],
  waits: true,
})

export const deleteAcmeAccount = route({
  id: 'acme-account.delete',
  method: 'DELETE',
  path: '/acme-accounts/{acme_account_id}',
  summary: 'Forget an account at an ACME server',
  access: { on: 'acme_account', need: 'admin' },
  params: ids('acme_account_id'),
})

export type AcmeAccountPatch = Patch<z.input<typeof acmeAccountChange>>
