import { inherited, type Level, setting } from './level.ts'
import type { Node } from './read-config.ts'
import { Unsure } from './unsure.ts'
import type { Caution, Visit } from './visit.ts'

/** What may refuse a request that comes this far, or answer it otherwise. */
export function limitCautions(level: Level): Caution[] {
  const words = {
    limit_req: 'may refuse the request when there are too many',
    limit_conn: 'may refuse the request when there are too many at once',
  }
  return Object.entries(words).flatMap(([name, text]) => {
    const node = setting(level, name)
    return node ? [{ text: `${name} ${text}`, node }] : []
  })
}

/** What may answer instead of an upstream, or keep it from being reached. */
export function proxyCautions(visit: Visit, pass: Node): Caution[] {
  const { level } = visit
  const found: Caution[] = []
  const protocol = pass.name.replace(/_pass$/, '')
  const cache = setting(level, `${protocol}_cache`)
  if (cache && cache.args[0] !== 'off') found.push({ text: 'the answer may come from the cache', node: cache })
  const intercept = setting(level, `${protocol}_intercept_errors`)
  if (intercept?.args[0] === 'on')
    found.push({ text: 'an error of the upstream is answered by the error_page of its status', node: intercept })
  if (pass.args[0]?.includes('$') && !setting(level, 'resolver'))
    found.push({ text: 'without a resolver nginx answers 502 where this is the name of a host', node: pass })
  return found
}

const changers =
  /^(sub_filter|subs_filter|add_before_body|add_after_body|echo_before_body|echo_after_body|ssi|image_filter|more_(set|clear)_headers|(proxy|fastcgi|uwsgi|scgi)_cache_purge|xslt_stylesheet|(header|body)_filter_by_lua.*|js_(header|body)_filter)$/

/** What may make an answer other than it is told, after nginx has found it. */
export function answerCautions(visit: Visit, isFile: boolean): Caution[] {
  const changing = nearest(visit.level, changers).map((node) => ({ text: `${node.name} may change the answer`, node }))
  const conditional = [...visit.incoming.headers.keys()].find((name) => /^(range|if-.*)$/.test(name))
  if (!isFile || conditional === undefined) return changing
  return [...changing, { text: `the header ${conditional} may change the status to 206, 304, 412 or 416`, node: undefined }]
}

const foreign =
  /^((server_)?(rewrite|access|precontent)_by_lua.*|content_by_lua.*|auth_jwt|auth_digest|modsecurity|more_(set|clear)_input_headers|echo_(?!before_body|after_body)\w+|fancyindex|js_access|js_periodic|access_by_.*|dav_methods|naxsi.*)$/

/** Ends the explanation where a module decides of which nothing is known here. */
export function refuseForeign(visit: Visit): void {
  for (const node of nearest(visit.level, foreign)) {
    const methods = node.args.map((name) => name.toUpperCase())
    const misses = node.name === 'fancyindex' && !visit.uri.endsWith('/')
    if (methods[0] === 'OFF' || misses || (node.name === 'dav_methods' && !methods.includes(visit.method))) continue
    throw new Unsure(`what "${node.name}" does`, node)
  }
}

function nearest(level: Level, names: RegExp): Node[] {
  const found = new Set<string>()
  for (let at: Level | undefined = level; at; at = at.parent) for (const { name } of at.children) if (names.test(name)) found.add(name)
  return [...found].flatMap((name) => inherited(level, name).slice(-1))
}
