import type { Explanation } from '@nxmesh/model/explanation'

/** What a client saw: nothing where the connection was closed without an answer. */
export interface Seen {
  status: number
  headers: [name: string, value: string][]
  body: string
}

/** What the backend says of the request it got. */
export interface Echo {
  method: string
  url: string
  headers: [name: string, value: string][]
}

/** How an explanation and what nginx really did differ; undefined where they agree, or nothing is claimed. */
export function differenceOf(told: Explanation, seen: Seen | undefined, method: string): string | undefined {
  const { outcome } = told
  if (outcome.kind === 'unknown') return undefined
  if (outcome.kind === 'closed') return seen ? `told closed, got ${seen.status}` : undefined
  // Where a text holds both $1 and a map with regular expressions nginx writes past its end, and a worker may fall.
  if (!seen && told.response_headers.some(({ value }) => value === null)) return undefined
  if (!seen) return `told ${JSON.stringify(outcome)}, got no answer`
  const header = (name: string) => seen.headers.find(([other]) => other.toLowerCase() === name)?.[1]
  const status = outcome.kind === 'proxy' ? (outcome.status_kept ?? 200) : outcome.kind === 'handler' ? seen.status : outcome.status
  if (status !== seen.status) return `told status ${status} (${outcome.kind}), got ${seen.status} ${seen.body.slice(0, 300)}`
  const wrong = headersDiffer(told, seen, status)
  if (wrong !== undefined) return wrong
  if (outcome.kind === 'redirect' && header('location') !== outcome.location)
    return `told Location ${outcome.location}, got ${header('location')}`
  if (method === 'HEAD') return undefined
  switch (outcome.kind) {
    case 'answer':
      return seen.body === outcome.body ? undefined : `told body ${outcome.body}, got ${seen.body}`
    case 'file':
      return seen.body === `FILE ${outcome.path.replace(/\/{2,}/g, '/')}` ? undefined : `told file ${outcome.path}, got ${seen.body}`
    case 'listing':
      return seen.body.includes('<title>Index of') ? undefined : `told a listing, got ${seen.body}`
    case 'error':
      return seen.body.includes('<center>nginx') ? undefined : `told nginx's own page, got ${seen.body}`
    case 'proxy':
      return proxyDiffers(outcome, seen.body)
    default:
      return undefined
  }
}

function headersDiffer({ response_headers }: Explanation, seen: Seen, status: number): string | undefined {
  const added = [200, 201, 204, 206, 301, 302, 303, 304, 307, 308].includes(status)
  // A header whose value is not known may well be empty, and so absent.
  const open = new Set(response_headers.filter(({ value }) => value === null).map(({ name }) => name))
  const told = response_headers.filter(({ name, only_if_status }) => (added || !only_if_status) && !open.has(name))
  const shown = (headers: readonly { name: string; value: string | null }[]) =>
    headers.map(({ name, value }) => `${name}: ${value?.trim()}`).join('\n')
  const got = seen.headers.filter(([name]) => /^x-r\d/i.test(name) && !open.has(name)).map(([name, value]) => ({ name, value }))
  if (got.length !== told.length) return `told headers ${shown(told)}, got ${shown(got)}`
  const differ = told.some(({ name, value }, at) => value !== null && (got[at]!.name !== name || got[at]!.value !== value.trim()))
  return differ ? `told headers ${shown(told)}, got ${shown(got)}` : undefined
}

function proxyDiffers(told: Extract<Explanation['outcome'], { kind: 'proxy' }>, body: string): string | undefined {
  let echo: Echo
  try {
    echo = JSON.parse(body) as Echo
  } catch {
    return `told the upstream, got ${body}`
  }
  if (/^(fastcgi|uwsgi|scgi)_pass$/.test(told.directive)) return paramsDiffer(told, echo)
  if (echo.method !== told.method) return `told method ${told.method}, got ${echo.method}`
  if (echo.url !== told.uri) return `told URI ${told.uri}, got ${echo.url}`
  const got = echo.headers.map(([name, value]) => `${name.toLowerCase()}: ${value.trim()}`)
  const missing = told.headers.filter(({ name, value }) => value !== null && !got.includes(`${name.toLowerCase()}: ${value.trim()}`))
  if (missing.length > 0) return `told ${JSON.stringify(missing)}, the upstream got ${got.join(', ')}`
  const names = new Set(told.headers.map(({ name }) => name.toLowerCase()))
  const extra = echo.headers.filter(([name]) => !names.has(name.toLowerCase()) && name.toLowerCase() !== 'connection')
  return extra.length > 0 ? `the upstream got more than was told: ${JSON.stringify(extra)}` : undefined
}

function paramsDiffer({ headers }: Extract<Explanation['outcome'], { kind: 'proxy' }>, echo: Echo): string | undefined {
  const open = new Set(headers.filter(({ value }) => value === null).map(({ name }) => name))
  const lines = (all: [name: string, value: string | null][]) =>
    all
      .filter(([name]) => !open.has(name))
      .map(([name, value]) => `${name}=${value}`)
      .sort()
  const [said, got] = [lines(headers.map(({ name, value }) => [name, value])), lines(echo.headers)]
  return said.join('\n') === got.join('\n') ? undefined : `told parameters ${said.join(', ')}, got ${got.join(', ')}`
}
