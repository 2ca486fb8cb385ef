import { conditionOf, holds } from './condition.ts'
import { handlerOf, type Level } from './level.ts'
import type { Node } from './read-config.ts'
import { closes } from './respond.ts'
import { type Engine, goesOn, type RewriteEnd } from './rewrite-end.ts'
import { runRewrite } from './rewrite-rule.ts'
import { expand, partsOf, type Quoting, valuesOf } from './template.ts'
import { Unsure } from './unsure.ts'
import { note, type Visit } from './visit.ts'

/** Runs the directives of the rewrite module that stand in a server or location, in order. Source: nginx, ngx_http_rewrite_handler. */
export function runRewrites(visit: Visit): RewriteEnd {
  return runLevel(visit, visit.level, { quote: true, wroteArgs: false }) ?? goesOn
}

function runLevel(visit: Visit, level: Level, engine: Engine): RewriteEnd | undefined {
  for (const node of level.children) {
    const end = runDirective(visit, level, node, engine)
    if (end) return end
  }
  return undefined
}

function runDirective(visit: Visit, level: Level, node: Node, engine: Engine): RewriteEnd | undefined {
  switch (node.name) {
    case 'set':
      return runSet(visit, node, engine)
    case 'if':
      return runIf(visit, level, node, engine)
    case 'break':
      if (visit.uriChanged) {
        visit.locationHolds = false
        visit.uriChanged = false
      }
      note(visit, 'break', 'no more of these directives are run', node)
      return goesOn
    case 'return':
      return runReturn(visit, node)
    case 'rewrite':
      return runRewrite(visit, node, engine)
    default:
      if (foreign.test(node.name)) throw new Unsure(`what "${node.name}" does`, node)
      return undefined
  }
}

const foreign =
  /^(rewrite_by_lua|set_by_lua|access_by_lua|server_rewrite_by_lua|set_(escape|unescape|md5|random)|js_set|auth_jwt|modsecurity$|more_(set|clear)_input)/

function runSet(visit: Visit, node: Node, engine: Engine): undefined {
  const name = node.args[0]!.slice(1).toLowerCase()
  const value = expandInScript(visit, node.args[1] ?? '', engine, node)
  if (name === 'args') Object.assign(visit, { args: value, unparsedHolds: false })
  else if (name !== 'limit_rate') visit.variables.set(name, value)
  note(visit, 'set', `$${name} is "${value}"`, node)
}

function expandInScript(visit: Visit, text: string, engine: Engine, node: Node): string {
  if (!text.includes('$')) return text
  const quoting: Quoting = engine.quote ? 'yes' : engine.wroteArgs ? 'maybe' : 'no'
  return valuesOf(visit, partsOf(text, node), quoting, node).join('')
}

function runIf(visit: Visit, level: Level, node: Node, engine: Engine): RewriteEnd | undefined {
  const condition = conditionOf(node)
  const { variable, operator, value } = condition
  const words = `$${variable}${operator === '' ? '' : ` ${operator} "${value}"`}`
  if (!holds(visit, condition, (text) => expandInScript(visit, text, engine, node), node)) {
    note(visit, 'if', `${words} does not hold`, node)
    return undefined
  }
  note(visit, 'if', `${words} holds`, node)
  const inside: Level = { kind: 'if', node, children: node.children ?? [], parent: level }
  // In a server the block has no settings of its own.
  if (level.kind !== 'server') enter(visit, inside)
  return runLevel(visit, inside, engine)
}

/** Takes the settings of a block for the request. A handler found earlier stays where the block has none. */
export function enter(visit: Visit, level: Level): void {
  visit.level = level
  const limit = level.children.find((node) => node.name === 'limit_except')
  if (limit && level.kind === 'location' && !allows(limit, visit.method)) {
    note(visit, 'limit_except', `${visit.method} is not among ${limit.args.join(', ')}, so the settings of this block hold`, limit)
    visit.level = { kind: 'limit_except', node: limit, children: limit.children ?? [], parent: level }
  }
  const handler = handlerOf(visit.level)
  // A block that says nothing of it keeps the kind of handler that one before it has set, and has no address for that.
  const isOther = visit.handler && visit.handler.name !== handler?.name
  if (isOther && level.kind === 'if' && !(handler && level.children.includes(handler)))
    throw new Unsure('which of two blocks answers', level.node)
  if (handler) visit.handler = handler
}

function allows(limit: Node, method: string): boolean {
  const methods = limit.args.map((name) => name.toUpperCase())
  return methods.includes(method) || (method === 'HEAD' && methods.includes('GET'))
}

function runReturn(visit: Visit, node: Node): RewriteEnd {
  const [first = '', second] = node.args
  const alone = second === undefined && /^(https?:\/\/|\$scheme)/.test(first)
  const status = alone ? 302 : Number(first)
  const text = alone ? first : second
  if (text !== undefined || status < 400) visit.bodyDropped = true
  if (redirects.has(status)) {
    const location = expand(visit, text ?? '', node)
    note(visit, 'return', `answers ${status} with Location "${location}"`, node)
    return { kind: 'redirect', status, location, node }
  }
  if (text === undefined && status >= 400) {
    note(visit, 'return', closes(status) ? 'closes the connection without an answer' : `answers ${status}`, node)
    // An error page that answers with an error keeps the first one.
    return { kind: 'status', status, node }
  }
  note(visit, 'return', `answers ${status}`, node)
  return { kind: 'answer', status, text: expand(visit, text ?? '', node), node }
}

const redirects = new Set([301, 302, 303, 307, 308])
