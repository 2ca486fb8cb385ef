import { regexOf } from '../pcre/regex.ts'
import { unescapeRedirect } from './escape.ts'
import type { Node } from './read-config.ts'
import { type Engine, goesOn, type RewriteEnd } from './rewrite-end.ts'
import { partsOf, type Quoting, requireSame, requireShort, valueOf, valuesOf } from './template.ts'
import { Unsure } from './unsure.ts'
import { matchInScript, note, type Visit } from './visit.ts'

/** Runs one `rewrite`; undefined where the directives after it are to be run. Source: nginx, ngx_http_script_regex_start_code. */
export function runRewrite(visit: Visit, node: Node, engine: Engine): RewriteEnd | undefined {
  const [pattern = '', replacement = '', flag] = node.args
  const before = visit.uri
  if (!matchInScript(visit, regexOf(pattern, false), visit.uri, node)) {
    note(visit, 'rewrite', `"${pattern}" does not match "${before}"`, node)
    return undefined
  }
  const absolute = /^(https?:\/\/|\$scheme)/.test(replacement)
  const redirect = absolute || flag === 'redirect' || flag === 'permanent'
  const last = redirect || flag === 'last' || flag === 'break'
  const keepsArgs = !replacement.endsWith('?')
  const target = keepsArgs ? replacement : replacement.slice(0, -1)
  visit.internal = true
  visit.unparsedHolds = false
  visit.uriChanged = flag !== 'break' && !redirect
  if (flag === 'break') visit.locationHolds = false
  visit.sentAway = redirect
  if (redirect) return redirected(visit, { node, target, keepsArgs, permanent: flag === 'permanent' })
  const { path, args } = replaced(visit, target, engine, node)
  engine.quote = false
  if (args !== undefined) visit.args = keepsArgs && visit.args !== '' ? `${args}&${visit.args}` : args
  else if (!keepsArgs) visit.args = ''
  if (path === '') throw new Unsure('a rewrite to an empty path', node)
  visit.uri = path
  const then =
    flag === 'last' ? ', and a location is looked for again' : flag === 'break' ? ', and no more of these directives are run' : ''
  note(visit, 'rewrite', `"${before}" becomes "${path}${visit.args === '' ? '' : `?${visit.args}`}"${then}`, node)
  return last ? goesOn : undefined
}

/** The path and arguments that a replacement stands for. Each "?" begins the arguments anew. */
function replaced(visit: Visit, target: string, engine: Engine, node: Node): { path: string; args: string | undefined } {
  let path = ''
  let args: string | undefined
  const parts = partsOf(target, node)
  const captured = visit.captures
  for (const part of parts) {
    const quoting: Quoting = args !== undefined ? 'yes' : engine.wroteArgs ? 'maybe' : 'no'
    const pieces = part.kind === 'text' ? part.text.split('?') : [valueOf(visit, part, quoting, node)]
    for (const [at, piece] of pieces.entries()) {
      if (at > 0) {
        path += args ?? ''
        args = ''
      }
      if (args === undefined) path += piece
      else args += piece
      requireShort(path.length + (args?.length ?? 0), node)
    }
  }
  requireSame(visit, captured, parts, node)
  if (args !== undefined) engine.wroteArgs = true
  return { path, args }
}

interface Redirected {
  node: Node
  target: string
  keepsArgs: boolean
  permanent: boolean
}

function redirected(visit: Visit, { node, target, keepsArgs, permanent }: Redirected): RewriteEnd {
  const written = valuesOf(visit, partsOf(target, node), 'yes', node)
  const text = unescapeRedirect(written.join(''))
  const location = keepsArgs && visit.args !== '' ? `${text}${target.includes('?') ? '&' : '?'}${visit.args}` : text
  const status = permanent ? 301 : 302
  note(visit, 'rewrite', `"${visit.uri}" is redirected to "${location}" with ${status}`, node)
  return { kind: 'redirect', status, location, node }
}
