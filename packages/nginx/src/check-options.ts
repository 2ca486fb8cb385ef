import type { AuthBasicOptions } from '@nxmesh/model/options/auth-basic'
import type { Problem } from '@nxmesh/model/problem'
import { speaksGrpc } from '@nxmesh/model/upstream-protocol'
import { guardsOf } from './render/guards.ts'
import { type Options, optionLines } from './render/options.ts'

/** Checks the typed options of one place against its custom directives, which may not say the same once more or keep them from acting. */
export function checkOptions(
  options: Options,
  custom: Readonly<Record<string, string>>,
  paths: { options: string; custom: string },
): Problem[] {
  const grpc = speaksGrpc(options)
  const speaks = { http: !grpc, grpc }
  const fields = new Map(
    optionLines(options, { key: '', host: '', cache: { zone: '', statement: '' }, speaks, folder: '' }).map(({ name, field }) => [
      name,
      field,
    ]),
  )
  const guard = Object.hasOwn(custom, 'return') ? guardsOf(options)[0] : undefined
  const problems = Object.keys(custom).flatMap((name): Problem[] => {
    const field = fields.get(name)
    if (field === undefined) return []
    const message = `"${name}" is set by ${paths.options}${field} already`
    return [{ field: `${paths.custom}.${name}`, message, code: 'CONFLICT' }]
  })
  if (options.proxy_cache?.enabled && options.proxy?.buffering === false)
    problems.push({
      field: `${paths.options}proxy.buffering`,
      message: 'must not be false where proxy_cache is enabled: nothing would be kept',
      code: 'CONFLICT',
    })
  if (options.auth_basic) problems.push(...checkUsers(options.auth_basic, `${paths.options}auth_basic`))
  if (guard === undefined) return problems
  const message = `cannot be given together with ${paths.options}${guard}: "return" answers before nginx comes to it`
  return [...problems, { field: `${paths.custom}.return`, message, code: 'CONFLICT' }]
}

function checkUsers({ enabled, users }: AuthBasicOptions, path: string): Problem[] {
  const problems = users.flatMap(({ password_hash }, at): Problem[] => {
    if (password_hash !== undefined) return []
    return [{ field: `${path}.users.${at}.password`, message: 'is required for a user that is new here', code: 'REQUIRED' }]
  })
  if (enabled && users.length === 0)
    problems.push({ field: `${path}.users`, message: 'must hold at least one user, or nobody comes in', code: 'REQUIRED' })
  return problems
}
