import type { Location } from '@nxmesh/model/location'
import { splitPath } from '@nxmesh/model/location-path'
import type { Problem, ProblemCode } from '@nxmesh/model/problem'
import { speaksGrpc } from '@nxmesh/model/upstream-protocol'
import { checkDirectives, checkExtra } from './check-directives.ts'
import { checkOptions } from './check-options.ts'
import { groupCount, regexProblem } from './check-regex.ts'
import type { Allowed } from './directive-rules.ts'
import { headerDirection } from './header-direction.ts'
import { literal, maxTokenBytes, quote, template } from './quote.ts'
import { hasUri, uriMessage } from './render/location-content.ts'
import { locationPattern } from './render/location-path.ts'

/** Checks one location by nginx's rules; `path` is where it stands in the input, as `locations.0`. */
export function checkLocation(location: Location, path: string, allowed: Allowed): Problem[] {
  const problems: Problem[] = []
  const add = (field: string, code: ProblemCode, message: string) => problems.push({ field: `${path}.${field}`, message, code })
  const { modifier, pattern } = splitPath(location.path)
  const byPrefix = modifier === '' || modifier === '=' || modifier === '^~'
  const proxies = location.proxy_pass !== undefined || location.upstream_id !== undefined || location.grpc_pass !== undefined

  if (!byPrefix && modifier !== '@') {
    const wrong = regexProblem(pattern)
    if (wrong !== undefined) add('path', 'INVALID_FORMAT', wrong)
  } else if (/\p{Cc}/u.test(locationPattern(location.path))) add('path', 'INVALID_FORMAT', 'must not contain encoded control characters')
  if (location.proxy_pass !== undefined && location.upstream_id !== undefined)
    add('proxy_pass', 'CONFLICT', 'cannot be given together with upstream_id')
  if (location.proxy_pass !== undefined && !byPrefix && hasUri(location.proxy_pass) && !location.proxy_pass.includes('$'))
    add('proxy_pass', 'INVALID_VALUE', uriMessage)
  if (location.root !== undefined && Object.hasOwn(location.custom_directives, 'alias'))
    add('custom_directives.alias', 'CONFLICT', '"alias" cannot be given together with root')
  if (proxies) {
    const pass = location.extra_directives?.findIndex((text) => /^\s*proxy_pass\s/.test(text)) ?? -1
    if (pass !== -1) add(`extra_directives.${pass}`, 'CONFLICT', '"proxy_pass" cannot be given together with proxy_pass or upstream_id')
  }
  const extraAlias = location.extra_directives?.findIndex((text) => /^\s*alias\s/.test(text)) ?? -1
  if (location.root !== undefined && extraAlias !== -1)
    add(`extra_directives.${extraAlias}`, 'CONFLICT', '"alias" cannot be given together with root')

  if (location.proxy_cache?.enabled && (!proxies || speaksGrpc(location)))
    add('proxy_cache', 'INVALID_VALUE', 'is for locations that proxy by HTTP')
  if (location.grpc_pass !== undefined && (location.proxy_pass !== undefined || location.upstream_id !== undefined))
    add('grpc_pass', 'CONFLICT', 'cannot be given together with proxy_pass or upstream_id')
  if (location.upstream_protocol !== undefined && location.upstream_id === undefined)
    add('upstream_protocol', 'INVALID_VALUE', 'is about the servers of upstream_id, which is not given')
  if (location.static) {
    if (proxies) add('static', 'CONFLICT', `cannot be given together with an upstream`)
    else if (location.root === undefined && !Object.hasOwn(location.custom_directives, 'alias'))
      add('root', 'REQUIRED', 'is required where static is given')
    const cached = location.custom_headers.findIndex(({ name }) => name.toLowerCase() === 'cache-control')
    if (location.static.assets_max_age !== undefined && cached !== -1)
      add(`custom_headers.${cached}`, 'CONFLICT', 'would come beside the Cache-Control of static.assets_max_age')
  }

  for (const [at, header] of location.custom_headers.entries()) {
    if (header.direction === 'request' && !proxies)
      add(`custom_headers.${at}.direction`, 'INVALID_VALUE', 'is "request", but this location has no upstream to send it to')
    if (header.always && header.direction === 'request')
      add(`custom_headers.${at}.always`, 'CONFLICT', 'is for headers of responses, but the direction is "request"')
    const direction = headerDirection(header, proxies)
    if (direction !== 'request' && ourOwnHeaders.has(header.name.toLowerCase()))
      add(`custom_headers.${at}.name`, 'NOT_ALLOWED', `"${header.name}" of a response is written by nginx itself`)
  }
  for (const [at, rule] of location.rewrite_rules.entries()) {
    const wrong = regexProblem(rule.pattern)
    if (wrong !== undefined) add(`rewrite_rules.${at}.pattern`, 'INVALID_FORMAT', wrong)
    const highest = Math.max(0, ...[...rule.replacement.matchAll(/\$\{?([1-9])/g)].map((match) => Number(match[1])))
    if (wrong === undefined && highest > groupCount(rule.pattern))
      add(`rewrite_rules.${at}.replacement`, 'INVALID_VALUE', `uses $${highest}, but the pattern has ${groupCount(rule.pattern)} groups`)
  }
  for (const [field, token] of writtenTokens(location))
    if (Buffer.byteLength(token) > maxTokenBytes)
      add(field, 'TOO_LONG', `must be at most ${maxTokenBytes} bytes with its quotes, for nginx to read it`)
  const custom = `${path}.custom_directives`
  return [
    ...problems,
    ...checkDirectives(location.custom_directives, custom, () => 'location', allowed),
    ...checkOptions(location, location.custom_directives, { options: `${path}.`, custom }),
    ...checkExtra(location.extra_directives, `${path}.extra_directives`, 'location', () => 'location', allowed),
  ]
}

/** Headers of a response that nginx writes itself. */
export const ourOwnHeaders: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding', 'connection', 'date', 'keep-alive'])

/** The tokens of a location as they will be written, by field. */
function* writtenTokens(location: Location): Generator<[field: string, token: string]> {
  yield ['path', quote(locationPattern(location.path))]
  if (location.proxy_pass !== undefined) yield ['proxy_pass', template(location.proxy_pass)]
  if (location.root !== undefined) yield ['root', literal(location.root)]
  for (const [at, header] of location.custom_headers.entries()) yield [`custom_headers.${at}.value`, template(header.value)]
  for (const [at, rule] of location.rewrite_rules.entries()) {
    yield [`rewrite_rules.${at}.pattern`, quote(rule.pattern)]
    yield [`rewrite_rules.${at}.replacement`, template(rule.replacement)]
  }
}
