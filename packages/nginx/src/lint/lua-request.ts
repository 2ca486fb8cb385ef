import type { LuaToken } from '../lua-tokens.ts'
import { callsOf, chainAt } from './lua-expression.ts'

/** Something that the client of a request says. */
export interface FromRequest {
  /** What the code says it is, through names that it has there. */
  text: string
  /** Whether a link or a form can hold it, so that somebody else may have written it than the one who sends it. */
  inLink: boolean
  /** Whether `%3C` in it has become `<`. */
  decoded: boolean
}

/** A piece of Lua, and what its local names stand for where that is something of the request. */
export interface LuaReading {
  tokens: readonly LuaToken[]
  locals: ReadonlyMap<string, string>
}

const table = /^ngx\.req\.get_(uri_args|post_args|headers)\(\)$/
const entry = /^ngx\.req\.get_(uri_args|post_args|headers)\(\)\.([^.:()]+)$/
const variable = /^ngx\.var\.(arg_\w+|args|query_string|request_body|cookie_\w+|http_(?!host$)\w+)$/
const decoders = new Set(['ngx.unescape_uri', 'ngx.decode_base64'])
const passing = new Set([...decoders, 'tostring'])

/** Finds the local names that stand for something of the request all along: those that are given a value once. */
export function readLua(tokens: readonly LuaToken[]): LuaReading {
  const locals = new Map<string, string>()
  const times = new Map<string, number>()
  for (const [at, { kind, text }] of tokens.entries())
    if (kind === 'name' && ['=', ','].includes(tokens[at + 1]?.text ?? '')) times.set(text, (times.get(text) ?? 0) + 1)
  for (const [at, { kind, text }] of tokens.entries()) {
    if (text !== 'local' || kind !== 'name' || tokens[at + 1]?.kind !== 'name') continue
    const name = tokens[at + 1]!.text
    // The second result of a call is what went wrong.
    const equals = tokens[at + 2]?.text === ',' ? at + 4 : at + 2
    const value = tokens[equals]?.text === '=' ? chainAt(tokens, equals + 1) : undefined
    if (value && isOfRequest(value.text) && times.get(name) === 1) locals.set(name, value.text)
  }
  return { tokens, locals }
}

function isOfRequest(text: string): boolean {
  return table.test(text) || valueNamed(text) !== undefined
}

/** What of the request an operand is; undefined where it is anything else, or made of it. */
export function valueOf(operand: readonly LuaToken[], reading: LuaReading): FromRequest | undefined {
  if (operand[0]?.text === '(' && operand.at(-1)?.text === ')' && operand[0].kind === 'symbol')
    return valueOf(operand.slice(1, -1), reading)
  const chain = chainAt(operand, 0)
  if (!chain || chain.end !== operand.length) return undefined
  const [call] = callsOf(operand, passing)
  if (call?.at === 0 && chain.text === `${call.name}()`) {
    const inner = valueOf(call.args[0] ?? [], reading)
    return inner && { ...inner, decoded: inner.decoded || decoders.has(call.name) }
  }
  return valueNamed(spelledOut(chain.text, reading))
}

function valueNamed(text: string): FromRequest | undefined {
  const name = variable.exec(text)?.[1]
  if (name !== undefined) return { text, inLink: !/^(cookie|http)_/.test(name), decoded: false }
  const [, from, key = ''] = entry.exec(text) ?? []
  if (from === undefined || (from === 'headers' && key.toLowerCase() === 'host')) return undefined
  return { text, inLink: from !== 'headers', decoded: true }
}

function spelledOut(text: string, { locals }: LuaReading): string {
  const [first = ''] = /^\w+/.exec(text) ?? []
  const stands = locals.get(first)
  return stands === undefined ? text : stands + text.slice(first.length)
}

const asking = new Set(['if', 'elseif', 'and', 'or', 'not'])
const asked = new Set(['then', 'and', 'or'])

const beginning = /^(ngx\.var\.\w+|ngx\.req\.get_\w+\(\)(?:\.[^.:()]+)?)/

/** What of the request the code looks at in any other way than whether it is there. Arguments of functions named in `sinks` are no look. */
function looksIn(reading: LuaReading, sinks: ReadonlySet<string>): Set<string> {
  const { tokens } = reading
  const within = new Set<LuaToken>(callsOf(tokens, sinks).flatMap(({ args }) => args.flat()))
  const looks = new Set<string>()
  for (const [at, token] of tokens.entries()) {
    const chain = within.has(token) ? undefined : chainAt(tokens, at)
    const meant = chain && spelledOut(chain.text, reading)
    const text = beginning.exec(meant ?? '')?.[1]
    if (chain && text !== undefined && (text !== meant || !isAskedFor(reading, at, chain.end))) looks.add(text)
  }
  return looks
}

/** Whether what stands between two tokens is given a name there, or asked whether it is there. */
function isAskedFor({ tokens, locals }: LuaReading, from: number, end: number): boolean {
  const [before, after] = [tokens[from - 1]?.text ?? '', tokens[end]?.text ?? '']
  if (before === 'local') return true
  if (before === '=' && (locals.has(tokens[from - 2]?.text ?? '') || locals.has(tokens[from - 4]?.text ?? ''))) return true
  if ((after === '==' || after === '~=') && tokens[end + 1]?.text === 'nil') return true
  return asking.has(before) && asked.has(after)
}

/** Tells of each value whether the code may go on only with those that it knows, as it looks at it or at all that it is one of. */
export function lookedAt(reading: LuaReading, sinks: ReadonlySet<string>): (value: FromRequest) => boolean {
  const looks = looksIn(reading, sinks)
  return ({ text }) => looks.has(text) || looks.has(/^ngx\.req\.get_\w+\(\)/.exec(text)?.[0] ?? text)
}
