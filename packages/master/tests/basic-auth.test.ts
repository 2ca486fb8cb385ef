// Passwords that nginx asks for: what the master keeps of them, and whom it shows what.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { administrator, startTestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import { expect, test } from 'vitest'
import { openDoor } from './door.ts'

test('a password is hashed, kept for whom is not given another, and never shown', async () => {
  await using directory = await scratch()
  await using mesh = await startTestMaster(directory.path)
  const door = await openDoor(mesh.base, administrator)
  const { body: workspace } = await door('POST', `/organizations/${mesh.organizationId}/workspaces`, { body: { name: 'W', slug: 'w' } })
  const inWorkspace = (path: string) => `/workspaces/${workspace.id}${path}`
  const seen: string[] = []
  const call: typeof door = async (...request) => {
    const answer = await door(...request)
    seen.push(answer.text)
    return answer
  }
  const word = 'correct-horse-battery'
  const location = (users: object[]) => ({ path: '/', root: '/srv', auth_basic: { users } })
  const made = await call('POST', inWorkspace('/virtual-hosts'), {
    body: {
      name: 'Site',
      server_name: 'a.test',
      listen_port: 80,
      auth_basic: { realm: 'Site', users: [{ name: 'ann', password: word }] },
      locations: [location([{ name: 'bob', password: word }])],
    },
  })
  expect([made.status, made.body.auth_basic]).toEqual([201, { enabled: true, realm: 'Site', users: [{ name: 'ann' }] }])
  const at = `/virtual-hosts/${made.body.id}`

  const same = await call('PATCH', at, { body: { auth_basic: { users: [{ name: 'ann' }] }, locations: [location([{ name: 'bob' }])] } })
  expect([same.status, same.headers.get('etag')]).toEqual([200, made.headers.get('etag')])
  const unknown = await call('PATCH', at, { body: { auth_basic: { users: [{ name: 'ann' }, { name: 'eve' }] } } })
  expect([unknown.status, unknown.body.error.details[0].field]).toEqual([422, 'auth_basic.users.1.password'])
  const short = await call('PATCH', at, { body: { locations: [location([{ name: 'bob', password: '' }])] } })
  expect([short.status, short.body.error.details[0].field]).toEqual([422, 'locations.0.auth_basic.users.0.password'])
  const other = await call('PATCH', at, { body: { auth_basic: { users: [{ name: 'ann', password: `${word}-2` }] } } })
  expect(other.status).toBe(200)

  const { body: diff } = await call('GET', inWorkspace('/revisions/2/diff'))
  expect(diff.changed).toMatchObject([{ fields: [{ field: expect.stringMatching(/^auth_basic\.users/) }] }])
  const rolledBack = await call('POST', inWorkspace('/rollback'), { body: { version: 1 } })
  expect(rolledBack.body).toMatchObject({ changed: true })
  for (const path of [
    at,
    inWorkspace('/virtual-hosts'),
    inWorkspace('/revisions/1'),
    inWorkspace('/revisions/3'),
    inWorkspace('/audit-log'),
  ])
    expect((await call('GET', path)).status).toBe(200)
  for (const text of seen) {
    expect(text).not.toContain(word)
    expect(text).not.toContain('$6$')
  }
  const files = (await readdir(directory.path, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
  const bytes = await Promise.all(files.map((file) => readFile(join(file.parentPath, file.name), 'latin1')))
  expect(bytes.some((text) => text.includes('$6$'))).toBe(true)
  expect(bytes.some((text) => text.includes(word))).toBe(false)
})
