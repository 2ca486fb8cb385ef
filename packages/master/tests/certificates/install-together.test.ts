import { routes } from '@nxmesh/api/routes'
import { stores } from '@nxmesh/testkit/stores'
import { until } from '@nxmesh/testkit/until'
import { describe, expect, test } from 'vitest'
import { startRenewing } from './renewing.ts'

describe.each(stores)('on $name', (store) => {
  test('certificates that are got in one moment go out as one version, and each is told of', async () => {
    await using renewing = await startRenewing(store)
    const { authority, client, workspaceId } = renewing
    const { promise, resolve: handOut } = Promise.withResolvers<void>()
    authority.handsOut = promise
    const asked = await Promise.all(['a.test', 'b.test', 'c.test'].map((domain) => renewing.request(domain)))
    await until('all to be issued', () => authority.asked.filter((request) => request === 'POST certificate').length === 3)
    const params = { workspace_id: workspaceId }
    const version = async () => (await client.call(routes.listRevisions, { params, query: {} })).data[0]!.version
    const before = await version()
    handOut()
    const got = await Promise.all(
      asked.map(({ id }) => renewing.once('it to be there', id, ({ status, order }) => status === 'active' && !order)),
    )
    expect(await version()).toBe(before + 1)
    const [revision] = (await client.call(routes.listRevisions, { params, query: {} })).data
    expect(revision!.reason).toBe('issued 3 certificates')
    const names = got.map(({ domain }) => domain)
    expect(revision!.changes.map(({ name }) => name).toSorted()).toEqual(names)
    const { data: log } = await client.call(routes.listWorkspaceAudit, { params, query: {} })
    const told = log.filter(({ actor, object }) => actor.kind === 'system' && object.kind === 'certificate')
    expect(told.map(({ object }) => object.name).toSorted()).toEqual(names)
  })
})
