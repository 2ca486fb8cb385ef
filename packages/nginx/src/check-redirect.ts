import type { Problem, ProblemCode } from '@nxmesh/model/problem'
import type { VirtualHostInput } from '@nxmesh/model/virtual-host'
import { groupCount, regexProblem } from './check-regex.ts'
import { maxTokenBytes, quote } from './quote.ts'
import { locationKey } from './render/location-path.ts'
import { canonicalName, regexOf } from './render/redirect.ts'

type Host = Pick<VirtualHostInput, 'redirect' | 'server_name' | 'locations' | 'custom_directives'>

/** Checks the redirects of a virtual host against its names and locations. */
export function checkRedirect(host: Host): Problem[] {
  const { redirect, locations } = host
  if (!redirect) return []
  const problems: Problem[] = []
  const add = (field: string, code: ProblemCode, message: string) => problems.push({ field: `redirect.${field}`, message, code })
  if (redirect.canonical_name !== undefined && canonicalName(host) === undefined)
    add('canonical_name', 'INVALID_VALUE', 'must be one of the names in server_name, and no pattern')
  if (redirect.to !== undefined) {
    const root = locations.findIndex(({ path }) => locationKey(path) === '/')
    if (root !== -1) add('to', 'CONFLICT', `is for what no location answers, but locations.${root} answers everything`)
    if (Object.hasOwn(host.custom_directives, 'return')) add('to', 'CONFLICT', '"return" in custom_directives answers everything')
  }
  const own = new Map(locations.map(({ path }, at) => [locationKey(path), at]))
  const first = new Map<string, number>()
  for (const [at, { from, to }] of redirect.rules.entries()) {
    const regex = regexOf(from)
    const wrong = regex === undefined ? undefined : regexProblem(regex)
    if (wrong !== undefined) add(`rules.${at}.from`, 'INVALID_FORMAT', wrong)
    else if (Buffer.byteLength(quote(regex ?? from)) > maxTokenBytes)
      add(`rules.${at}.from`, 'TOO_LONG', `must be at most ${maxTokenBytes} bytes with its quotes`)
    else if (regex !== undefined && highestGroup(to) > groupCount(regex))
      add(`rules.${at}.to`, 'INVALID_VALUE', `uses $${highestGroup(to)}, but the pattern has ${groupCount(regex)} groups`)
    const key = locationKey(regex === undefined ? `= ${from}` : from)
    const earlier = first.get(key)
    if (earlier !== undefined) add(`rules.${at}.from`, 'DUPLICATE', `is the same as redirect.rules.${earlier}.from`)
    else first.set(key, at)
    const location = regex === undefined ? own.get(key) : undefined
    if (location !== undefined) add(`rules.${at}.from`, 'CONFLICT', `is the path of locations.${location}`)
  }
  return problems
}

function highestGroup(to: string): number {
  return Math.max(0, ...[...to.matchAll(/\$([1-9])/g)].map((match) => Number(match[1])))
}
