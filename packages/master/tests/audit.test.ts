import type { AuditEntry } from '@nxmesh/model/audit'
import { administrator, startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Door, type DoorRequest, doorAt, openDoor } from './door.ts'

let stack: AsyncDisposableStack
let mesh: TestMaster
let door: Door
let organization: string
let workspace: string

let counter = 0
const fresh = (prefix: string) => `${prefix}-${++counter}`

async function ok(method: string, path: string, request?: DoorRequest) {
  const answer = await door(method, path, request)
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`)
  return answer.body
}

const inWorkspace = (path: string) => `/workspaces/${workspace}${path}`
const log = async (query = ''): Promise<AuditEntry[]> => (await ok('GET', inWorkspace(`/audit-log?per_page=100${query}`))).data
const actions = (entries: AuditEntry[]) => entries.map((entry) => entry.action)
const newUpstream = (name = fresh('up')) =>
  ok('POST', inWorkspace('/upstreams'), { body: { name, servers: [{ address: '127.0.0.1:9000' }] } })

describe.each(stores)('on $name', (store) => {
  beforeAll(async () => {
    await using opening = new AsyncDisposableStack()
    const directory = opening.use(await scratch())
    const opened = opening.use(await store.open())
    mesh = opening.use(await startTestMaster(directory.path, await opened.settings()))
    door = await openDoor(mesh.base, administrator)
    stack = opening.move()
  })

  afterAll(() => stack.disposeAsync())

  beforeEach(async () => {
    organization = (await ok('POST', '/organizations', { body: { name: 'O', slug: fresh('org') } })).id
    workspace = (await ok('POST', `/organizations/${organization}/workspaces`, { body: { name: 'W', slug: fresh('ws') } })).id
  })

  test('a change is on record with who, from where, what, why, before and after', async () => {
    const upstream = await newUpstream('web')
    const headers = { 'x-request-id': 'req-7', 'x-change-reason': 'new name' }
    const after = await ok('PATCH', `/upstreams/${upstream.id}`, { body: { name: 'api' }, headers })
    const [entry] = await log('&action=upstream.update')
    expect(entry).toEqual({
      id: expect.any(String),
      at: expect.stringMatching(/^\d{4}-.*Z$/),
      organization_id: organization,
      workspace_id: workspace,
      actor: { kind: 'user', id: expect.any(String), name: administrator.email, token: null },
      address: '127.0.0.1',
      request_id: 'req-7',
      action: 'upstream.update',
      object: { kind: 'upstream', id: upstream.id, name: 'api' },
      reason: 'new name',
      before: upstream,
      after,
    })
  })

  test('what an API token does says which', async () => {
    const token = await ok('POST', '/tokens', { body: { name: 'CI', organization_id: organization, role: 'admin' } })
    const upstream = { name: fresh('up'), servers: [{ address: '127.0.0.1:1' }] }
    await doorAt(mesh.base, token.token)('POST', inWorkspace('/upstreams'), { body: upstream })
    const [entry] = await log('&action=upstream.create')
    expect(entry!.actor).toMatchObject({ kind: 'user', name: administrator.email, token: { id: token.id, name: 'CI' } })
  })

  test('everything that changes something leaves one record', async () => {
    const upstream = await newUpstream()
    await ok('PATCH', `/upstreams/${upstream.id}`, { body: { name: fresh('up') } })
    await ok('DELETE', `/upstreams/${upstream.id}`)
    const site = { name: 'S', server_name: 's.test', listen_port: 80 }
    const host = await ok('POST', inWorkspace('/virtual-hosts'), { body: site })
    await ok('PATCH', `/virtual-hosts/${host.id}`, { body: { name: 'T' } })
    await ok('DELETE', `/virtual-hosts/${host.id}`)
    await ok('PATCH', inWorkspace('/settings'), { body: { env_vars: { TZ: 'UTC' } } })
    await ok('POST', inWorkspace('/rollback'), { body: { version: 1 } })
    const { agent_id } = await ok('POST', inWorkspace('/agents/tokens'), { body: { name: 'a' } })
    await ok('PATCH', `/agents/${agent_id}`, { body: { labels: { env: 'a' } } })
    await ok('POST', `/agents/${agent_id}/retry`)
    await ok('POST', `/agents/${agent_id}/revoke`)
    await ok('DELETE', `/agents/${agent_id}`)
    await ok('PATCH', `/workspaces/${workspace}`, { body: { name: 'V' } })
    await ok('PATCH', `/organizations/${organization}`, { body: { name: 'P' } })
    const { data } = await ok('GET', `/organizations/${organization}/audit-log?per_page=100`)
    const expected = `organization.create organization.update workspace.create workspace.update workspace.rollback settings.update
      upstream.create upstream.update upstream.delete virtual-host.create virtual-host.update virtual-host.delete
      agent.create-token agent.update agent.retry agent.revoke agent.delete`
    expect(actions(data).sort()).toEqual(expected.split(/\s+/).sort())
    const rollback = data.find((entry: AuditEntry) => entry.action === 'workspace.rollback')
    expect(rollback).toMatchObject({ before: { version: 7 }, after: { version: 8, as_of_version: 1 } })
    const own = (await log()).length
    expect(own).toBe(data.length - 2)
    await ok('DELETE', `/workspaces/${workspace}`)
    const [last] = (await ok('GET', `/organizations/${organization}/audit-log`)).data
    expect(last).toMatchObject({
      action: 'workspace.delete',
      workspace_id: workspace,
      object: { kind: 'workspace', name: 'V' },
      after: null,
    })
  })

  test('what was refused leaves none', async () => {
    await newUpstream('web')
    const before = await log()
    expect((await door('POST', inWorkspace('/upstreams'), { body: { name: 'web', servers: [{ address: '127.0.0.1:1' }] } })).status).toBe(
      409,
    )
    expect((await door('PATCH', inWorkspace('/settings'), { body: { nope: 1 } })).status).toBe(422)
    expect((await door('POST', inWorkspace('/rollback'), { body: { version: 1 } })).body.changed).toBe(false)
    expect(await log()).toEqual(before)
  })

  test('filters by time, actor, action and object', async () => {
    const upstream = await newUpstream('web')
    const host = await ok('POST', inWorkspace('/virtual-hosts'), { body: { name: 'S', server_name: 's.test', listen_port: 80 } })
    expect(actions(await log('&action=upstream'))).toEqual(['upstream.create'])
    expect(actions(await log('&action=virtual-host.create'))).toEqual(['virtual-host.create'])
    expect(await log('&action=up')).toEqual([])
    expect(actions(await log(`&object=${host.id}`))).toEqual(['virtual-host.create'])
    expect(actions(await log('&object=upstream'))).toEqual(['upstream.create'])
    expect((await log(`&actor=${administrator.email}`)).length).toBe(3)
    expect(await log('&actor=nobody')).toEqual([])
    const [newest] = await log()
    expect(await log(`&from=${newest!.at}&object=${upstream.id}&to=2000-01-01T00:00:00Z`)).toEqual([])
    expect((await log('&from=2000-01-01T01:00:00%2B01:00')).length).toBe(3)
    expect(await log('&from=2100-01-01T00:00:00Z')).toEqual([])
    for (const bad of ['from=yesterday', 'format=xml', 'actor=', 'page=0', 'colour=red']) {
      expect((await door('GET', inWorkspace(`/audit-log?${bad}`))).status).toBe(422)
    }
  })

  test('pages and files hold the same, newest first', async () => {
    const rows = Array.from({ length: 1203 }, (_, index) => ({
      id: `00000000-0000-7000-8000-${String(index).padStart(12, '0')}`,
      at: '2020-01-01T00:00:00.000Z',
      organization_id: organization,
      workspace_id: workspace,
      actor_kind: 'user' as const,
      actor_name: index === 0 ? '=cmd("x")' : 'somebody',
      address: '',
      request_id: '',
      action: 'test.action',
      object_kind: 'test',
      object_name: `line ${index}\n"quoted", and so on`,
      after_doc: '{"a":1}',
    }))
    for (let from = 0; from < rows.length; from += 400) {
      await mesh.master.ctx.db
        .insertInto('audit_log')
        .values(rows.slice(from, from + 400))
        .execute()
    }
    const names = rows.map((row) => row.object_name).reverse()
    const page = await ok('GET', inWorkspace('/audit-log?action=test&page=13&per_page=100'))
    expect([page.meta.total, page.data.map((entry: AuditEntry) => entry.object.name)]).toEqual([1203, names.slice(1200)])

    const lines = await door('GET', inWorkspace('/audit-log?action=test&format=jsonl'))
    expect(lines.headers.get('content-type')).toBe('application/jsonl; charset=utf-8')
    const entries = lines.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as AuditEntry)
    expect(entries.map((entry) => entry.object.name)).toEqual(names)
    expect(entries[1202]).toEqual(page.data[2])

    const csv = await door('GET', inWorkspace('/audit-log?action=test&format=csv'))
    expect(csv.headers.get('content-type')).toMatch(/^text\/csv/)
    expect(csv.headers.get('content-disposition')).toBe('attachment; filename="audit-log.csv"')
    const records = csv.text.split('\r\n')
    expect([records.length, records[0]]).toEqual([
      1205,
      'id,at,organization_id,workspace_id,actor_kind,actor_id,actor_name,actor_token_id,actor_token_name,address,request_id,action,object_kind,object_id,object_name,reason,before,after',
    ])
    expect(records[1203]).toBe(
      `${rows[0]!.id},2020-01-01T00:00:00.000Z,${organization},${workspace},user,,"'=cmd(""x"")",,,,,test.action,test,,"line 0\n""quoted"", and so on",,,"{""a"":1}"`,
    )
  })

  test('nobody changes or deletes a record, not even in the database', async () => {
    await newUpstream()
    const { db } = mesh.master.ctx
    await expect(db.updateTable('audit_log').set({ actor_name: 'somebody else' }).execute()).rejects.toThrow(/only ever appended to/)
    await expect(db.deleteFrom('audit_log').execute()).rejects.toThrow(/only ever appended to/)
  })

  test('no secret is ever in it', async () => {
    const secrets: string[] = [administrator.password]
    const keep = (...found: string[]) => secrets.push(...found)
    const signedIn = await ok('POST', '/auth/login', { body: administrator })
    const refreshed = await ok('POST', '/auth/refresh', { body: { refresh_token: signedIn.refresh_token } })
    keep(signedIn.access_token, signedIn.refresh_token, refreshed.access_token, refreshed.refresh_token)
    await door('POST', '/auth/login', { body: { ...administrator, password: 'a wrong password' } })
    await door('POST', '/auth/login', { body: { email: 'a password typed in the wrong field', password: 'x' } })
    keep('a wrong password', 'a password typed in the wrong field')
    const headers = { 'idempotency-key': fresh('key') }
    const { token, agent_id } = await ok('POST', inWorkspace('/agents/tokens'), { body: { name: 'a' }, headers })
    keep(token, JSON.parse(Buffer.from(token.slice('nxmesh_agent_'.length), 'base64url').toString()).secret)
    const custom_headers = [{ name: 'Authorization', value: 'Basic c2VjcmV0LWhlYWRlcg==' }]
    const locations = [{ path: '/', proxy_pass: 'http://127.0.0.1:1/', custom_headers }]
    const site = { name: 'S', server_name: 's.test', listen_port: 80, locations }
    const host = await ok('POST', inWorkspace('/virtual-hosts'), { body: site })
    await ok('PATCH', `/virtual-hosts/${host.id}`, { body: { custom_directives: { proxy_set_header: 'Cookie "session=s3cr3t-cookie"' } } })
    await ok('PATCH', inWorkspace('/settings'), { body: { env_vars: { DB_PASSWORD: 's3cr3t-variable' } } })
    await ok('POST', `/agents/${agent_id}/revoke`)
    keep('c2VjcmV0LWhlYWRlcg==', 's3cr3t-cookie', 's3cr3t-variable')
    const { private_pem } = await mesh.master.ctx.db.selectFrom('keys').select('private_pem').executeTakeFirstOrThrow()
    keep(private_pem)
    const table = JSON.stringify(await mesh.master.ctx.db.selectFrom('audit_log').selectAll().execute())
    expect(actions(await log()).length).toBeGreaterThanOrEqual(5)
    for (const secret of secrets) expect(table.includes(secret), secret.slice(0, 8)).toBe(false)
    expect((await ok('GET', `/virtual-hosts/${host.id}`)).locations[0].custom_headers[0].value).toBe('Basic c2VjcmV0LWhlYWRlcg==')
  })
})
