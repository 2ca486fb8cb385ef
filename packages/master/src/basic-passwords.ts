import { setImmediate } from 'node:timers/promises'
import { invalid } from '@nxmesh/api/errors'
import { type AuthBasicOptions, clearPassword } from '@nxmesh/model/options/auth-basic'
import type { VirtualHostInput } from '@nxmesh/model/virtual-host'
import { sha512Crypt } from './sha512-crypt.ts'

// Each takes some milliseconds, in which nothing else is done.
const mostAtOnce = 100

type Members = Record<string, unknown>

/**
 * A virtual host, or a merge patch of one, in which each clear password of `auth_basic` has given way to its hash. What is no such password stays
 * as it is, for its schema to refuse. Throws VALIDATION_ERROR for more of them than one request may bring.
 */
export async function withHashedPasswords<T extends object>(body: T): Promise<T> {
  const copy = structuredClone(body)
  const users = placesOf(copy).flatMap(usersOf).filter(isClear)
  if (users.length > mostAtOnce) {
    const message = `must hold at most ${mostAtOnce} passwords at once; give the others as password_hash`
    throw invalid([{ field: 'auth_basic.users', message, code: 'OUT_OF_RANGE' }])
  }
  for (const user of users) {
    user['password_hash'] = sha512Crypt(user['password'] as string)
    delete user['password']
    await setImmediate()
  }
  return copy
}

/** Gives users without a password the one that the user of that name has in the same place. */
export function withKnownPasswords<T extends Pick<VirtualHostInput, 'auth_basic' | 'locations'>>(
  host: T,
  before: Pick<VirtualHostInput, 'auth_basic' | 'locations'>,
): T {
  const known = new Map(before.locations.map(({ path, auth_basic }) => [path, auth_basic]))
  return {
    ...host,
    ...(host.auth_basic && { auth_basic: filled(host.auth_basic, before.auth_basic) }),
    locations: host.locations.map((location) =>
      location.auth_basic ? { ...location, auth_basic: filled(location.auth_basic, known.get(location.path)) } : location,
    ),
  }
}

function filled(options: AuthBasicOptions, before: AuthBasicOptions | undefined): AuthBasicOptions {
  const hashes = new Map(before?.users.map(({ name, password_hash }) => [name, password_hash]))
  const users = options.users.map((user) => {
    const password_hash = user.password_hash ?? hashes.get(user.name)
    return password_hash === undefined ? user : { ...user, password_hash }
  })
  return { ...options, users }
}

function placesOf(body: object): Members[] {
  const { locations } = body as Members
  return [body as Members, ...(Array.isArray(locations) ? locations : [])].filter(isObject)
}

function usersOf({ auth_basic }: Members): Members[] {
  const users = isObject(auth_basic) ? auth_basic['users'] : undefined
  return Array.isArray(users) ? users.filter(isObject) : []
}

function isClear({ password, password_hash }: Members): boolean {
  return password_hash === undefined && clearPassword.safeParse(password).success
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
