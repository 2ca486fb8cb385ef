import type { Problem } from '@nxmesh/model/problem'
import { inMail } from './directive-rules.ts'
import { isOfMail, mailListensOf, mayRepeatInMail, readMailListen } from './mail-directives.ts'
import { type Directive, parse } from './parse.ts'
import { readExtra } from './render/custom-directives.ts'
import { listenName } from './shared-sockets.ts'

/** Checks the directives of the settings' mail block. nginx would refuse a whole configuration for one that cannot stand there, or for a server that lacks something. */
export function checkMailDirectives(directives: readonly string[] | undefined, path: string): Problem[] {
  const read = (directives ?? []).map((text, at) => readMail(text, `${path}.${at}`))
  const common = read.flatMap(({ directive }) => (directive && directive.name !== 'server' ? [directive] : []))
  const taken = new Map<string, string>()
  return read.flatMap(({ problems, field, directive }) => {
    const earlier = directive && !mayRepeatInMail(directive.name) ? taken.get(directive.name) : undefined
    if (earlier !== undefined)
      return [...problems, { field, message: `"${directive!.name}" is set by ${earlier} already`, code: 'DUPLICATE' as const }]
    if (directive) taken.set(directive.name, field)
    if (directive?.name !== 'server' || problems.length > 0) return problems
    const found = [...problemsOfServer(directive, common)]
    for (const { address, port } of mailListensOf(directive)) {
      const socket = listenName({ address, port })
      const holder = taken.get(socket)
      if (holder !== undefined) found.push({ message: `listens on ${socket}, as ${holder} does`, code: 'DUPLICATE' })
      taken.set(socket, field)
    }
    return found.map((problem) => ({ field, ...problem }))
  })
}

interface ReadMail {
  field: string
  problems: Problem[]
  directive?: Directive
}

function readMail(text: string, field: string): ReadMail {
  const read = readExtra(text, 'mail', inMail)
  if (!read.ok)
    return { field, problems: [{ field, message: read.message, code: read.reason === 'refused' ? 'NOT_ALLOWED' : 'INVALID_FORMAT' }] }
  const parsed = parse(read.statement.text)
  const directive = parsed.ok ? parsed.tree.directives[0] : undefined
  if (!directive) return { field, problems: [{ field, message: 'is not one complete directive', code: 'INVALID_FORMAT' }] }
  return { field, directive, problems: [...placeProblems(directive, false)].map((problem) => ({ field, ...problem })) }
}

type Found = Omit<Problem, 'field'>

function* placeProblems({ name, args, block }: Directive, inServer: boolean): Generator<Found> {
  const place = inServer ? 'a mail server' : 'the mail block'
  if (!isOfMail(name, inServer)) {
    yield { message: `"${name}" is not allowed in ${place}${insteadOf(name, inServer)}`, code: 'NOT_ALLOWED' }
    return
  }
  const isServer = name === 'server'
  if (isServer !== (block?.kind === 'directives') || (isServer && args.length > 0)) {
    yield { message: `"${name}" must ${isServer ? 'be a block without arguments' : 'not be a block'}`, code: 'INVALID_FORMAT' }
    return
  }
  const values = args.map(({ value }) => value)
  if (name === 'auth_http' && !hasAddress(values[0] ?? ''))
    yield {
      message: '"auth_http" must go to an IP address, localhost or unix:/path: a name would stop nginx on the day it does not resolve',
      code: 'INVALID_VALUE',
    }
  const listen = name === 'listen' ? readMailListen(values) : undefined
  if (typeof listen === 'string') yield { message: listen, code: 'INVALID_VALUE' }
  if (!isServer || block?.kind !== 'directives') return
  for (const child of block.directives) yield* placeProblems(child, true)
  const names = block.directives.map((child) => child.name).filter((each) => !mayRepeatInMail(each))
  const twice = names.find((each, at) => names.indexOf(each) < at)
  if (twice !== undefined) yield { message: `has "${twice}" twice`, code: 'DUPLICATE' }
}

function insteadOf(name: string, inServer: boolean): string {
  if (name === 'ssl') return ': say "ssl" in its "listen"'
  if (!isOfMail(name, !inServer)) return ''
  return `, only in ${inServer ? 'the mail block' : 'a mail server'}`
}

function hasAddress(url: string): boolean {
  return /^(?:http:\/\/)?(?:(?:localhost|\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?(?:\/.*)?|unix:\/[^:]+(?::\/.*)?)$/.test(
    url,
  )
}

// By which nginx knows a protocol that is not said. Source: nginx mail core module, "protocol".
const usualPorts = new Set([25, 587, 110, 995, 143, 993])

/** What nginx asks of each mail server. Source: nginx mail core, auth_http and ssl modules. */
function* problemsOfServer(server: Directive, common: readonly Directive[]): Generator<Found> {
  const own = server.block?.kind === 'directives' ? server.block.directives : []
  const said = (wanted: string) => [...own, ...common].find(({ name }) => name === wanted)?.args[0]?.value
  const listens = mailListensOf(server)
  const missing = (message: string): Found => ({ message, code: 'REQUIRED' })
  if (listens.length === 0) yield missing('a mail server must have a "listen"')
  if (said('auth_http') === undefined) yield missing('a mail server must have "auth_http", here or in the mail block')
  if (own.every(({ name }) => name !== 'protocol') && !listens.every(({ port }) => usualPorts.has(port)))
    yield missing('a mail server on such a port must have "protocol"')
  const speaksTls = listens.some(({ ssl }) => ssl) || ['on', 'only'].includes(said('starttls') ?? '')
  for (const name of speaksTls ? ['ssl_certificate', 'ssl_certificate_key'] : [])
    if (said(name) === undefined) yield missing(`a mail server with TLS must have "${name}", here or in the mail block`)
}
