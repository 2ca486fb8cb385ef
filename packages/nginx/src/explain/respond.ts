import { inherited } from './level.ts'
import type { Node } from './read-config.ts'
import { expand } from './template.ts'
import { note, type Visit } from './visit.ts'

/** Tells whether a status ends a request without an answer, or a page for it. Source: nginx, ngx_http_finalize_request. */
export function closes(status: number): boolean {
  // Those of successes that have no page come of "try_files … =200", which ends the request and sends nothing.
  return [408, 444, 499].includes(status) || (status < 300 && status !== 201 && status !== 204)
}

/** What follows on a status that ends a request: an answer, or another way through the configuration. */
export type Response =
  | { kind: 'end'; status: number }
  | { kind: 'internal'; uri: string; args: string; node: Node }
  | { kind: 'named'; name: string; node: Node }
  | { kind: 'external'; status: number; location: string; node: Node }

/** Looks for an error page for a status; only the first error of a request has one unless `recursive_error_pages` is on. Source: nginx, ngx_http_special_response_handler. */
export function respond(visit: Visit, status: number): Response {
  visit.errorStatus = status
  if (visit.errorPageTaken || visit.changesLeft === 0) return { kind: 'end', status }
  const pages = inherited(visit.level, 'error_page')
  if (pages.length === 0) return { kind: 'end', status }
  const recursive = inherited(visit.level, 'recursive_error_pages').at(-1)?.args[0] === 'on'
  if (!recursive) visit.errorPageTaken = true
  for (const node of pages) {
    const page = pageFor(node, status)
    if (page) return follow(visit, page, status)
  }
  return { kind: 'end', status }
}

interface Page {
  node: Node
  target: string
  overwrite: number | undefined
}

function pageFor(node: Node, status: number): Page | undefined {
  const args = [...node.args]
  const target = args.pop()!
  const sign = args.at(-1)?.startsWith('=') ? args.pop() : undefined
  if (!args.some((code) => Number(code) === status)) return undefined
  const overwrite = sign === undefined ? ([494, 495, 496, 497].includes(status) ? 400 : undefined) : Number(sign.slice(1) || '0')
  return { node, target, overwrite }
}

function follow(visit: Visit, { node, target, overwrite }: Page, status: number): Response {
  if (overwrite !== undefined) visit.errorStatus = overwrite
  const address = expand(visit, target, node)
  note(visit, 'error_page', `${status} is answered by "${address}"`, node)
  if (address.startsWith('/')) {
    const question = address.indexOf('?')
    if (visit.method !== 'HEAD') visit.method = 'GET'
    const [uri, args] = question === -1 ? [address, ''] : [address.slice(0, question), address.slice(question + 1)]
    return { kind: 'internal', uri, args, node }
  }
  if (address.startsWith('@')) return { kind: 'named', name: address, node }
  const redirects = overwrite !== undefined && [301, 302, 303, 307, 308].includes(overwrite)
  return { kind: 'external', status: redirects ? overwrite : 302, location: address, node }
}
