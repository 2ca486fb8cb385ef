import { ApiError } from '@nxmesh/api/errors'
import { routes } from '@nxmesh/api/routes'
import { startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { newPerson } from '@nxmesh/testkit/people'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

let stack: AsyncDisposableStack
let mesh: TestMaster
let workspaces = 0

const refuse = '{ if ngx.var.http_x ~= "}" then return ngx.exit(403) end -- }\n }'
const notAllowed = (field: string) => ({
  code: 'VALIDATION_ERROR',
  details: [{ field, code: 'NOT_ALLOWED', message: expect.stringContaining('lua_allowed of the workspace is false') }],
})

async function newWorkspace(lua_allowed: boolean): Promise<string> {
  const slug = `lua-${++workspaces}`
  const body = { name: slug, slug, ...(lua_allowed && { lua_allowed }) }
  const made = await mesh.client.call(routes.createWorkspace, { params: { organization_id: mesh.organizationId }, body })
  expect(made.lua_allowed).toBe(lua_allowed)
  return made.id
}

function newHost(workspace_id: string, name: string, rest: object) {
  return mesh.client.call(routes.createVirtualHost, {
    params: { workspace_id },
    body: { name, server_name: `${name}.test`, listen_port: 80, ...rest },
  })
}

const setLua = (workspace_id: string, lua_allowed: boolean | null, client = mesh.client) =>
  client.call(routes.updateWorkspace, { params: { workspace_id }, body: { lua_allowed } })

const setSettings = (workspace_id: string, body: object) => mesh.client.call(routes.updateSettings, { params: { workspace_id }, body })

async function refusal(call: Promise<unknown>) {
  const outcome = await call.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(outcome instanceof ApiError)) throw new Error('it was not refused', { cause: outcome })
  return { code: outcome.code, details: outcome.details }
}

describe.each(stores)('Lua, on $name', (store) => {
  beforeAll(async () => {
    await using opening = new AsyncDisposableStack()
    const directory = opening.use(await scratch())
    const opened = opening.use(await store.open())
    mesh = opening.use(await startTestMaster(directory.path, await opened.settings()))
    stack = opening.move()
  })
  afterAll(() => stack.disposeAsync())

  test('is refused at the field that holds it where the workspace does not allow it', async () => {
    const workspace_id = await newWorkspace(false)
    const cases: [rest: object, field: string][] = [
      [{ custom_directives: { access_by_lua_block: refuse } }, 'custom_directives.access_by_lua_block'],
      [{ custom_directives: { rewrite_by_lua_file: '/etc/x.lua' } }, 'custom_directives.rewrite_by_lua_file'],
      [{ extra_directives: [`if ($arg_x) { rewrite_by_lua_block ${refuse} }`] }, 'extra_directives.0'],
      [
        { locations: [{ path: '/', custom_directives: { content_by_lua: "'ngx.say(1)'" } }] },
        'locations.0.custom_directives.content_by_lua',
      ],
    ]
    for (const [rest, field] of cases) expect(await refusal(newHost(workspace_id, 'a', rest))).toMatchObject(notAllowed(field))
    expect(await refusal(setSettings(workspace_id, { nginx_directives: { init_by_lua_block: '{ }' } }))).toMatchObject(
      notAllowed('nginx_directives.init_by_lua_block'),
    )
    expect(await refusal(setSettings(workspace_id, { stream_directives: ['preread_by_lua_block { }'] }))).toMatchObject({
      details: [{ field: 'stream_directives.0', code: 'NOT_ALLOWED' }],
    })
  })

  test('is taken where it is allowed, in its contexts, whole and with nothing after it', async () => {
    const workspace_id = await newWorkspace(true)
    const host = await newHost(workspace_id, 'a', {
      custom_directives: { access_by_lua_block: refuse, set_by_lua_block: '$a { return "b" }' },
      extra_directives: ['if ($a) { rewrite_by_lua_block { ngx.log(ngx.ERR, "#") } }'],
      locations: [{ path: '/', custom_directives: { content_by_lua_block: '{ ngx.say("}") }' } }],
    })
    expect(host.custom_directives).toMatchObject({ access_by_lua_block: refuse })
    await setSettings(workspace_id, { extra_directives: ['lua_shared_dict a 1m', 'lua_shared_dict b 1m'] })
    const wrong: [rest: object, code: string][] = [
      [{ custom_directives: { content_by_lua_block: '{ }' } }, 'NOT_ALLOWED'],
      [{ custom_directives: { balancer_by_lua_block: '{ }' } }, 'NOT_ALLOWED'],
      [{ custom_directives: { lua_shared_dict: 'c 1m' } }, 'NOT_ALLOWED'],
      [{ custom_directives: { access_by_lua_block: '{ } } server { listen 81; ' } }, 'INVALID_FORMAT'],
      [{ custom_directives: { access_by_lua_block: '{ "}"' } }, 'INVALID_FORMAT'],
      [{ custom_directives: { access_by_lua_block: 'x' } }, 'INVALID_FORMAT'],
      [{ custom_directives: { access_by_lua_block: '{ \u0001 }' } }, 'INVALID_FORMAT'],
      [{ extra_directives: ['access_by_lua_block { } include /etc/passwd;'] }, 'INVALID_FORMAT'],
      [{ custom_directives: { perl: 'x' } }, 'NOT_ALLOWED'],
      [{ custom_directives: { js_access: 'x' } }, 'NOT_ALLOWED'],
    ]
    for (const [rest, code] of wrong)
      expect([rest, (await refusal(newHost(workspace_id, 'b', rest))).details?.map((detail) => detail.code)]).toEqual([rest, [code]])
  })

  test('cannot be taken back while something uses it, nor come back with a version once it is', async () => {
    const workspace_id = await newWorkspace(true)
    const host = await newHost(workspace_id, 'a', {
      locations: [{ path: '/', extra_directives: [`if ($arg_a) { access_by_lua_block ${refuse} }`] }],
    })
    await setSettings(workspace_id, { nginx_directives: { lua_code_cache: 'on' } })
    const version = (await mesh.client.call(routes.getWorkspace, { params: { workspace_id } })).config_version
    for (const value of [false, null])
      expect(await refusal(setLua(workspace_id, value))).toEqual({
        code: 'CONFLICT',
        details: [
          { field: 'lua_allowed', code: 'IN_USE', message: `is used by virtual host "a" (${host.id}) in locations.0.extra_directives.0` },
          { field: 'lua_allowed', code: 'IN_USE', message: 'is used by the settings in nginx_directives.lua_code_cache' },
        ],
      })
    await setSettings(workspace_id, { nginx_directives: { lua_code_cache: null } })
    await mesh.client.call(routes.deleteVirtualHost, { params: { virtual_host_id: host.id } })
    expect(await setLua(workspace_id, false)).toMatchObject({ lua_allowed: false })
    const rollback = () => mesh.client.call(routes.rollbackWorkspace, { params: { workspace_id }, body: { version } })
    expect((await refusal(rollback())).details?.map(({ field }) => field)).toEqual([
      `virtual_hosts.${host.id}.locations.0.extra_directives.0`,
      'settings.nginx_directives.lua_code_cache',
    ])
    await setLua(workspace_id, true)
    expect((await rollback()).changes).toHaveLength(2)
  })

  test('is allowed by those who may change the workspace, and by no operator', async () => {
    const id = await newWorkspace(false)
    const { ctx } = mesh.master
    const operator = await newPerson(ctx, mesh.base, `operator-${id}@example.com`, { workspace: { id, role: 'operator' } })
    const admin = await newPerson(ctx, mesh.base, `admin-${id}@example.com`, { workspace: { id, role: 'admin' } })
    const stranger = await newPerson(ctx, mesh.base, `stranger-${id}@example.com`)
    expect(await refusal(setLua(id, true, operator.client))).toMatchObject({ code: 'FORBIDDEN' })
    expect(await refusal(setLua(id, true, stranger.client))).toMatchObject({ code: 'NOT_FOUND' })
    const settings = operator.client.call(routes.updateSettings, { params: { workspace_id: id }, body: { lua_allowed: true } as object })
    expect(await refusal(settings)).toMatchObject({ code: 'VALIDATION_ERROR', details: [{ field: 'lua_allowed' }] })
    expect(await setLua(id, true, admin.client)).toMatchObject({ lua_allowed: true })
    const body = { name: 'o', server_name: 'o.test', listen_port: 80, custom_directives: { access_by_lua_block: refuse } }
    await operator.client.call(routes.createVirtualHost, { params: { workspace_id: id }, body })
  })

  test('is imported as it stands where it is allowed, and its server left out elsewhere', async () => {
    const conf = `load_module modules/ngx_http_lua_module.so;
events {} http { lua_shared_dict seen 1m; init_by_lua_block { limits = { 1, "}" } }
server { listen 80; server_name a.test; access_by_lua '
  ngx.log(ngx.INFO, "}")
'; location / { content_by_lua_block {
      ngx.say("{") -- '
} } } }`
    const importing = (workspace_id: string) =>
      mesh.client.call(routes.importWorkspace, { params: { workspace_id }, body: { files: { 'nginx.conf': conf }, dry_run: false } })
    const refused = await importing(await newWorkspace(false))
    expect(refused.virtual_hosts).toEqual([])
    expect(refused.lines.filter(({ outcome }) => outcome === 'left_out').map(({ message }) => message)).toContainEqual(
      expect.stringContaining('lua_allowed'),
    )
    const workspace_id = await newWorkspace(true)
    const taken = await importing(workspace_id)
    expect(taken.lines.filter(({ outcome }) => outcome === 'left_out')).toEqual([])
    expect(taken.differences.filter(({ change }) => change === 'removed')).toEqual([])
    expect(taken.virtual_hosts).toMatchObject([
      { locations: [{ custom_directives: { content_by_lua_block: '{\n      ngx.say("{") -- \'\n}' } }] },
    ])
    expect(taken.settings.nginx_directives).toMatchObject({ lua_shared_dict: 'seen 1m', init_by_lua_block: '{ limits = { 1, "}" } }' })
    expect(await refusal(setLua(workspace_id, false))).toMatchObject({ code: 'CONFLICT' })
  })
})
