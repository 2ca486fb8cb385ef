import { createHash } from 'node:crypto'
import type { AuthBasicOptions } from '@nxmesh/model/options/auth-basic'
import { literal, quote } from '../../quote.ts'
import type { RenderedFile } from '../target.ts'
import { line, type OptionLine } from './line.ts'

/** Where the users of a place are listed. nginx reads it at each request, so that its name stays when users change. */
function fileOf(place: string): string {
  return `auth_basic/${createHash('sha256').update(place).digest('hex').slice(0, 16)}.htpasswd`
}

/** `folder` is how the configuration names the folder of its files. Source: nginx auth_basic module. */
export function authBasicLines({ enabled, realm }: AuthBasicOptions, place: string, folder: string): OptionLine[] {
  if (!enabled) return line('auth_basic.enabled', 'auth_basic', 'off')
  return [
    ...line('auth_basic.realm', 'auth_basic', literal(realm)),
    ...line('auth_basic.users', 'auth_basic_user_file', quote(folder + fileOf(place))),
  ]
}

/** The file itself, for workers and nobody else. A user without a hash is left out, and so cannot come in. */
export function authBasicFile({ users }: AuthBasicOptions, place: string): RenderedFile {
  const lines = users.flatMap(({ name, password_hash }) => (password_hash === undefined ? [] : `${name}:${password_hash}\n`))
  return { path: fileOf(place), text: lines.join(''), mode: 0o640 }
}
