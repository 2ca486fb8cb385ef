import { startAuthority } from '@nxmesh/testkit/acme-authority/authority'
import { expect, test } from 'vitest'
import { newAccountKey } from '../../src/certificates/acme/account-key.ts'
import { openAcmeClient } from '../../src/certificates/acme/client.ts'
import { openOutbound } from '../../src/outbound/outbound.ts'
import { startAcmeDouble } from './acme-double.ts'

const outbound = openOutbound(['127.0.0.1'])
const options = { names: ['example.com'], profile: null, replaces: null }

test('requests one after the other share a connection, until the client is stopped', async () => {
  await using authority = await startAuthority()
  const stop = new AbortController()
  const { directoryUrl, caPem } = authority
  const client = openAcmeClient({ directoryUrl, outbound, ca: caPem, now: Date.now, signal: stop.signal })
  const account = await client.register(newAccountKey(), { email: null, eab: null })
  if (!account.ok) throw new Error(account.problem.detail)
  for (let order = 0; order < 10; order++) expect(await client.newOrder(account.value, options)).toMatchObject({ ok: true })
  expect(authority.asked).toHaveLength(13)
  expect([authority.connections(), await authority.open()]).toEqual([1, 1])
  stop.abort()
  await expect.poll(() => authority.open()).toBe(0)
})

test('a server that closes a connection just when it is used again is asked once more, over a new one', async () => {
  await using double = await startAcmeDouble()
  const client = openAcmeClient({ directoryUrl: double.directoryUrl, outbound, ca: undefined, now: Date.now })
  const account = { url: `${double.base}/account/1`, keyPem: newAccountKey() }
  expect(await client.newOrder(account, options)).toMatchObject({ ok: true })
  double.next('/newOrder', (response) => response.destroy())
  expect(await client.newOrder(account, options)).toMatchObject({ ok: true })
  double.next(
    '/newOrder',
    (response) => response.destroy(),
    (response) => response.destroy(),
  )
  expect(await client.newOrder(account, options)).toMatchObject({ ok: false, problem: { type: 'unreachable' } })
})
