import { authBasic } from '@nxmesh/model/options/auth-basic'
import { expect, test } from 'vitest'
import { withHashedPasswords } from './basic-passwords.ts'
import { sha512Crypt } from './sha512-crypt.ts'

test('clear passwords give way to their hashes, wherever they stand', async () => {
  const users = () => [{ name: 'a', password: 'sesame' }, { name: 'b', password_hash: 'kept' }, { name: 'c' }]
  const body = { auth_basic: { users: users() }, locations: [{ path: '/', auth_basic: { users: users() } }] }
  const hashed = await withHashedPasswords(body)
  for (const { auth_basic } of [hashed, hashed.locations[0]!]) {
    const [first, ...others] = auth_basic.users as { name: string; password_hash?: string; password?: string }[]
    const hash = first!.password_hash!
    expect(first).toEqual({ name: 'a', password_hash: sha512Crypt('sesame', hash.split('$')[2]) })
    expect(authBasic.safeParse({ users: [first] }).success).toBe(true)
    expect(others).toEqual(users().slice(1))
  }
  expect(body.auth_basic.users[0]).toEqual({ name: 'a', password: 'sesame' })
})

test.each([
  null,
  { auth_basic: null },
  { auth_basic: { users: 'x' } },
  { auth_basic: { users: [null, 'x', { password: 5 }, { password: '' }, { password: 'a\nb' }] } },
  { auth_basic: { users: [{ name: 'a', password: 'b', password_hash: 'c' }] } },
  { locations: [null, { auth_basic: [] }], custom_directives: {} },
])('what is no such password is left to the schema: %j', async (body) => {
  expect(await withHashedPasswords({ body, ...body })).toEqual({ body, ...body })
})

test('more passwords at once than one request may bring are refused', async () => {
  const users = Array.from({ length: 101 }, (_, at) => ({ name: `u${at}`, password: 'x' }))
  await expect(withHashedPasswords({ auth_basic: { users } })).rejects.toMatchObject({ code: 'VALIDATION_ERROR' })
})
