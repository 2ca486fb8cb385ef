import { ApiError } from '@nxmesh/api/errors'
import { routes } from '@nxmesh/api/routes'
import { startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

let stack: AsyncDisposableStack
let mesh: TestMaster
let workspaces = 0

async function newWorkspace(): Promise<string> {
  const slug = `names-${++workspaces}`
  return (await mesh.client.call(routes.createWorkspace, { params: { organization_id: mesh.organizationId }, body: { name: slug, slug } }))
    .id
}

function newHost(workspace_id: string, name: string, custom_directives: Record<string, string>) {
  const body = { name, server_name: `${name}.test`, listen_port: 80, custom_directives }
  return mesh.client.call(routes.createVirtualHost, { params: { workspace_id }, body })
}

const setSettings = (workspace_id: string, nginx_directives: Record<string, string | null>) =>
  mesh.client.call(routes.updateSettings, { params: { workspace_id }, body: { nginx_directives } })

async function refusal(call: Promise<unknown>) {
  const outcome = await call.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(outcome instanceof ApiError)) throw new Error('it was not refused', { cause: outcome })
  return { code: outcome.code, details: outcome.details }
}

describe.each(stores)('hazard 46, on $name', (store) => {
  beforeAll(async () => {
    await using opening = new AsyncDisposableStack()
    const directory = opening.use(await scratch())
    const opened = opening.use(await store.open())
    mesh = opening.use(await startTestMaster(directory.path, await opened.settings()))
    stack = opening.move()
  })
  afterAll(() => stack.disposeAsync())

  test('a variable of another virtual host is refused at the field that uses it', async () => {
    const workspace_id = await newWorkspace()
    await newHost(workspace_id, 'a', { set: '$shared a' })
    expect(await refusal(newHost(workspace_id, 'b', { return: '200 $shared' }))).toMatchObject({
      code: 'VALIDATION_ERROR',
      details: [{ field: 'custom_directives.return', code: 'UNKNOWN_REFERENCE', message: expect.stringContaining('"a"') }],
    })
    await newHost(workspace_id, 'b', { set: '$shared b', return: '200 $shared' })
  })

  test('what others came to use is neither deleted, changed nor rolled back from under them', async () => {
    const workspace_id = await newWorkspace()
    const user = await newHost(workspace_id, 'b', { return: '200 $shared' })
    const definer = await newHost(workspace_id, 'a', { set: '$shared a' })
    const inUse = { code: 'CONFLICT', details: [{ code: 'IN_USE', message: expect.stringContaining(`"b" (${user.id})`) }] }
    const params = { virtual_host_id: definer.id }
    expect(await refusal(mesh.client.call(routes.deleteVirtualHost, { params }))).toMatchObject(inUse)
    const body = { custom_directives: { set: null } }
    expect(await refusal(mesh.client.call(routes.updateVirtualHost, { params, body }))).toMatchObject(inUse)
    const { version } = (await mesh.client.call(routes.listRevisions, { params: { workspace_id } })).data[1]!
    expect(await refusal(mesh.client.call(routes.rollbackWorkspace, { params: { workspace_id }, body: { version } }))).toMatchObject(inUse)
    await mesh.client.call(routes.updateVirtualHost, {
      params: { virtual_host_id: user.id },
      body: { custom_directives: { return: '200' } },
    })
    await mesh.client.call(routes.deleteVirtualHost, { params })
  })

  test('so it is with what the settings define', async () => {
    const workspace_id = await newWorkspace()
    await setSettings(workspace_id, { map: '$host $mapped { default a; }', limit_req_zone: '$host zone=mine:1m rate=1r/s' })
    const user = await newHost(workspace_id, 'b', { return: '200 $mapped', limit_req: 'zone=mine' })
    for (const name of ['map', 'limit_req_zone'])
      expect(await refusal(setSettings(workspace_id, { [name]: null }))).toMatchObject({
        code: 'CONFLICT',
        details: [{ field: 'nginx_directives', code: 'IN_USE', message: expect.stringContaining(user.id) }],
      })
    await setSettings(workspace_id, { map: '$uri $mapped { default b; }' })
    await mesh.client.call(routes.deleteVirtualHost, { params: { virtual_host_id: user.id } })
    await setSettings(workspace_id, { map: null, limit_req_zone: null })
  })
})
