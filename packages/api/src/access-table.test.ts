import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { verdict, withAccessTable } from './access-table.ts'
import { routes } from './routes.ts'

const file = join(import.meta.dirname, '..', '..', '..', 'docs', 'access.md')

test('docs/access.md shows the roles of the route table', () => {
  const text = readFileSync(file, 'utf8')
  expect(text === withAccessTable(text), 'run npm run access').toBe(true)
})

test('the verdicts are those of the rules', () => {
  const cases = [
    ['login', 'nobody', 'yes'],
    ['listOrganizations', 'nobody', 401],
    ['getOrganization', 'outsider', 404],
    ['updateOrganization', 'member', 403],
    ['updateOrganization', 'admin', 'yes'],
    ['deleteOrganization', 'admin', 403],
    ['deleteOrganization', 'owner', 'yes'],
    ['getVirtualHost', 'member', 404],
    ['getVirtualHost', 'viewer', 'yes'],
    ['updateVirtualHost', 'viewer', 403],
    ['updateVirtualHost', 'operator', 'yes'],
    ['updateVirtualHost', 'admin', 'yes'],
    ['deleteWorkspace', 'operator', 403],
    ['removeOrganizationMember', 'member', 'self'],
    ['resetPassword', 'member', 'self'],
    ['createApiToken', 'token', 403],
    ['createVirtualHost', 'token', 'limited'],
  ] as const
  for (const [name, standing, expected] of cases)
    expect([name, standing, verdict(routes[name].access, standing)]).toEqual([name, standing, expected])
})
