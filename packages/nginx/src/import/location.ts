import { type Header, type Location, location as locationSchema, proxyPass, type RewriteRule, rewriteRule } from '@nxmesh/model/location'
import { checkLocation } from '../check-location.ts'
import { regexProblem } from '../check-regex.ts'
import type { Allowed } from '../directive-rules.ts'
import { familyOf, keep } from './families.ts'
import { customHeader, type HeaderLevels, headersOf, headersWithin } from './header-sets.ts'
import type { Entry, Ledger } from './ledger.ts'
import { noteKept, sentHeaders, spelledOut } from './nested.ts'
import { refusedBecause } from './refused.ts'
import { replacedBecause } from './replaced.ts'
import type { SourceDirective } from './source.ts'

/** Why an object cannot be had here, and the directive that makes it so. */
export interface Obstacle {
  directive: SourceDirective
  message: string
}

export interface LocationInput {
  directive: SourceDirective
  inherited: HeaderLevels
  upstreamIds: ReadonlyMap<string, string>
  allowed: Allowed
  ledger: Ledger
  /** What says where a directive went: `field` is seen from the location. */
  entry: (outcome: Entry['outcome'], field: string, message?: string) => Entry
}

export type ReadLocation = { ok: true; location: Location } | { ok: false; obstacle: Obstacle }

/** What NxMesh sends to upstreams by itself. */
const sentAnyway: Readonly<Record<string, string>> = {
  host: '$host',
  'x-real-ip': '$remote_addr',
  'x-forwarded-for': '$proxy_add_x_forwarded_for',
  'x-forwarded-proto': '$scheme',
  upgrade: '$http_upgrade',
}

const headerNames = new Set(['add_header', 'proxy_set_header'])

/** Reads a location block into the fields of a location; what they do not hold is kept as it is. */
export function readLocation(input: LocationInput): ReadLocation {
  const { directive, ledger, entry, inherited, allowed } = input
  const block = directive.block ?? []
  const fail = (culprit: SourceDirective, message: string): ReadLocation => ({ ok: false, obstacle: { directive: culprit, message } })
  const draft: { [field: string]: unknown; custom_headers: Header[] } = { path: pathOf(directive.args), custom_headers: [] }
  ledger.set(directive, entry('imported', 'path'))
  const levels = headersWithin(block, inherited)
  const rest: SourceDirective[] = []
  for (const child of block) {
    const because = replacedBecause(child.name, child.args)
    if (headerNames.has(child.name)) ledger.set(child, entry('imported', 'custom_headers'))
    else if (because !== undefined) ledger.set(child, { outcome: 'replaced', message: because })
    else if (!readField(draft, child, input)) rest.push(child)
  }
  const proxies = draft.proxy_pass !== undefined || draft.upstream_id !== undefined
  for (const child of rest) {
    if (child.name === 'location' || child.name === 'proxy_pass') continue
    const message = refusedBecause(child.name, child.args, allowed)
    if (message !== undefined) return fail(child, message)
  }
  if (proxies) {
    for (const header of levels.proxy_set_header) if (!customHeader(header)) return fail(header, 'is no header that a location can have')
    draft.custom_headers.push(...requestHeaders(levels.proxy_set_header, block))
  }
  const kept = [...rest]
  // An address that no field holds is kept as it is, and so is what is sent to it.
  if (rest.some(({ name }) => name === 'proxy_pass')) kept.push(...sentHeaders(directive, levels.proxy_set_header))
  if (levels.add_header !== inherited.add_header) {
    for (const header of headersOf(inherited, levels)) {
      const read = customHeader(header)
      if (read) draft.custom_headers.push(read)
      else kept.push(header)
    }
  }
  const rules = rewriteRules(kept)
  if (rules) draft.rewrite_rules = rules.map(({ rule }) => rule)
  for (const [at, { directive: child }] of (rules ?? []).entries()) ledger.set(child, entry('imported', `rewrite_rules.${at}`))
  const asTheyAre = kept.filter((child) => !rules?.some((rule) => rule.directive === child))
  const written = new Map(asTheyAre.map((child) => [spelledOut(child, levels), child]))
  const { custom_directives, extra_directives, fields } = keep([...written.keys()])
  for (const [text, field] of fields) noteKept(ledger, written.get(text)!, entry('kept', field))
  const read = locationSchema.safeParse({ ...draft, custom_directives, ...(extra_directives.length > 0 && { extra_directives }) })
  if (!read.success) {
    const [{ path, message } = { path: [], message: '' }] = read.error.issues
    return fail(directive, `${path.join('.')} ${message}`)
  }
  const [problem] = checkLocation(read.data, '', allowed)
  if (!problem) return { ok: true, location: read.data }
  const culprit = [...fields].find(([, field]) => problem.field === `.${field}`)?.[0]
  return fail(culprit ? written.get(culprit)! : directive, problem.message)
}

/** A path as a location of the model has it: prefixes are decoded when they are written, so a percent sign stands for itself only when encoded. */
function pathOf(args: readonly string[]): string {
  const [first = '', second] = args
  const [, modifier = '', attached = ''] = /^(=|\^~|~\*|~)?(.*)$/s.exec(first) ?? []
  const pattern = second ?? attached
  const encoded = modifier.startsWith('~') || pattern.startsWith('@') ? pattern : pattern.replaceAll('%', '%25')
  return modifier === '' ? encoded : `${modifier} ${encoded}`
}

function readField(draft: Record<string, unknown>, directive: SourceDirective, input: LocationInput): boolean {
  const { name, args } = directive
  const note = (field: string) => input.ledger.set(directive, input.entry('imported', field))
  if (name === 'proxy_pass' && args.length === 1) {
    const id = input.upstreamIds.get(/^http:\/\/([^/?]+)$/i.exec(args[0]!)?.[1]?.toLowerCase() ?? '')
    if (id === undefined && !proxyPass.safeParse(args[0]).success) return false
    if (id === undefined) draft.proxy_pass = args[0]
    else draft.upstream_id = id
    note(id === undefined ? 'proxy_pass' : 'upstream_id')
    return true
  }
  const value = args.join(' ')
  if (
    (name === 'root' && args.length === 1 && locationSchema.shape.root.safeParse(value).success) ||
    (name === 'index' && locationSchema.shape.index.safeParse(value).success)
  ) {
    draft[name] = value
    note(name)
    return true
  }
  return false
}

function requestHeaders(set: readonly SourceDirective[], block: readonly SourceDirective[]): Header[] {
  const headers = set.flatMap((directive) => customHeader(directive) ?? [])
  if (!headers.some(({ name }) => name.toLowerCase() === 'host')) {
    // Without a word nginx sends the name in the address, which is another where the upstream is an object.
    const host = /^https?:\/\/([^/?]*)/.exec(block.find(({ name }) => name === 'proxy_pass')?.args[0] ?? '')?.[1] ?? ''
    const value = host.includes('$') || host.startsWith('unix:') ? '$proxy_host' : host
    headers.push({ name: 'Host', value, always: false, direction: 'request' })
  }
  return headers.filter(({ name, value }) => sentAnyway[name.toLowerCase()] !== value)
}

/** The rewrite rules among directives, where nothing but a final `return` is done with them. */
function rewriteRules(directives: readonly SourceDirective[]): { directive: SourceDirective; rule: RewriteRule }[] | undefined {
  const done = directives.filter(({ name }) => familyOf(name) === 'rewrite')
  const rewrites = done.at(-1)?.name === 'return' ? done.slice(0, -1) : done
  if (rewrites.length === 0) return undefined
  const rules: { directive: SourceDirective; rule: RewriteRule }[] = []
  for (const directive of rewrites) {
    const [pattern = '', replacement, flag] = directive.args
    const read = rewriteRule.safeParse({ pattern, replacement, ...(flag !== undefined && { flag }) })
    if (directive.name !== 'rewrite' || !read.success || regexProblem(pattern) !== undefined) return undefined
    rules.push({ directive, rule: read.data })
  }
  return rules
}
