import { dnsProvider, dnsProviderChange, dnsProviderInput, dnsProviderTest, dnsProviderTestResult } from '@nxmesh/model/dns-provider'
import type { z } from 'zod'
import { type Patch, patchOf } from '../merge-patch.ts'
import { ids, pageOf, paging, route } from '../route.ts'

export const listDnsProviders = route({
  id: 'dns-provider.list',
  method: 'GET',
  path: '/workspaces/{workspace_id}/dns-providers',
  summary: 'List the DNS providers of a workspace',
  access: { on: 'workspace', need: 'viewer' },
  params: ids('workspace_id'),
  query: paging,
  response: pageOf(dnsProvider),
})

export const createDnsProvider = route({
  id: 'dns-provider.create',
  method: 'POST',
  path: '/workspaces/{workspace_id}/dns-providers',
  summary: 'Create a DNS provider; its secrets are shown to nobody',
  access: { on: 'workspace', need: 'admin' },
  params: ids('workspace_id'),
  body: dnsProviderInput,
  response: dnsProvider,
  status: 201,
})

export const getDnsProvider = route({
  id: 'dns-provider.get',
  method: 'GET',
  path: '/dns-providers/{dns_provider_id}',
  summary: 'Get a DNS provider',
  access: { on: 'dns_provider', need: 'viewer' },
  params: ids('dns_provider_id'),
  response: dnsProvider,
})

export const updateDnsProvider = route({
  id: 'dns-provider.update',
  method: 'PATCH',
  path: '/dns-providers/{dns_provider_id}',
  summary: 'Change a DNS provider; secrets that are left out stay',
  access: { on: 'dns_provider', need: 'admin' },
  params: ids('dns_provider_id'),
  body: patchOf(dnsProviderChange),
  response: dnsProvider,
})

export const deleteDnsProvider = route({
  id: 'dns-provider.delete',
  method: 'DELETE',
  path: '/dns-providers/{dns_provider_id}',
  summary: 'Delete a DNS provider',
  access: { on: 'dns_provider', need: 'admin' },
  params: ids('dns_provider_id'),
})

export const testDnsProvider = route({
  id: 'dns-provider.test',
  method: 'POST',
  path: '/dns-providers/{dns_provider_id}/test',
  summary: 'Write a record where the challenge of a name would be, wait until it is seen and remove it',
  access: { on: 'dns_provider', need: 'admin' },
  params: ids('dns_provider_id'),
  body: dnsProviderTest,
  response: dnsProviderTestResult,
  waits: true,
})

export type DnsProviderPatch = Patch<z.input<typeof dnsProviderChange>>
