import { type Settings, settings as settingsSchema } from '@nxmesh/model/settings'
import { checkSettings } from '../check.ts'
import { type Allowed, nothingMore } from '../directive-rules.ts'
import { quote } from '../quote.ts'
import { mimeTypes } from '../render/mime-types.ts'
import { settingContext } from '../render/settings.ts'
import { keep } from './families.ts'
import { type Entry, type Ledger, noteWhole } from './ledger.ts'
import { type LostNames, usesLost } from './lost-names.ts'
import { noteKept } from './nested.ts'
import { refusedBecause } from './refused.ts'
import { replacedBecause } from './replaced.ts'
import type { SourceDirective } from './source.ts'

const entry = (outcome: Entry['outcome'], field: string, message?: string): Entry => ({
  outcome,
  object: { kind: 'settings', name: 'settings' },
  field,
  ...(message !== undefined && { message }),
})

/** What cannot be had: what a workspace does not allow, and what uses a name that nothing defines any more. */
interface Limits {
  allowed: Allowed
  lost: LostNames
}

/** Reads the directives around the servers into settings; each is taken by itself, as one that cannot be had makes no other wrong. */
export function importSettings(
  { main, events, http }: { main: readonly SourceDirective[]; events: readonly SourceDirective[]; http: readonly SourceDirective[] },
  limits: Limits,
  ledger: Ledger,
): Settings {
  const settings: Settings = { nginx_directives: {}, env_vars: {} }
  for (const directive of main.filter(({ name }) => name === 'env')) readEnvironment(directive, settings, ledger)
  const types = typesOf(http, ledger)
  const usable = [
    ...(types ? [types] : []),
    ...main.filter((directive) => isUsable(directive, 'main', limits, ledger)),
    ...events.filter((directive) => isUsable(directive, 'events', limits, ledger)),
    ...http.filter((directive) => isUsable(directive, 'http', limits, ledger)),
  ]
  const { custom_directives, extra_directives, fields } = keep(usable)
  Object.assign(settings.nginx_directives, custom_directives)
  if (extra_directives.length > 0) settings.extra_directives = extra_directives
  for (const [directive, field] of fields)
    noteKept(ledger, directive, entry('kept', field.replace('custom_directives', 'nginx_directives')))
  return settings
}

function isUsable(directive: SourceDirective, context: 'main' | 'events' | 'http', { allowed, lost }: Limits, ledger: Ledger): boolean {
  const { name, args } = directive
  if (ledger.has(directive)) return false
  const because = replacedBecause(name, args)
  if (because !== undefined) {
    noteWhole(ledger, directive, { outcome: 'replaced', message: because })
    return false
  }
  const message = problemOf(directive, context, allowed) ?? usesLost(directive, lost)?.message
  if (message === undefined) return true
  noteWhole(ledger, directive, { outcome: 'left_out', message })
  return false
}

function problemOf(directive: SourceDirective, context: 'main' | 'events' | 'http', allowed: Allowed): string | undefined {
  const { name, args } = directive
  if (name !== 'upstream') {
    const message = refusedBecause(name, args, allowed)
    if (message !== undefined) return message
  }
  if (settingContext(name) !== context) return `is not known as a directive of the ${context} context`
  const { custom_directives, extra_directives } = keep([directive])
  const alone = { nginx_directives: custom_directives, env_vars: {}, ...(extra_directives.length > 0 && { extra_directives }) }
  const read = settingsSchema.safeParse(alone)
  return read.success ? checkSettings(read.data, allowed)[0]?.message : read.error.issues[0]?.message
}

function readEnvironment(directive: SourceDirective, settings: Settings, ledger: Ledger): void {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(directive.args[0] ?? '') ?? []
  if (name === undefined || value === undefined) {
    ledger.set(directive, { outcome: 'left_out', message: 'workers get only variables whose value is said' })
    return
  }
  const read = settingsSchema.safeParse({ env_vars: { [name]: value } })
  const wrong = read.success ? checkSettings(read.data)[0]?.message : read.error.issues[0]?.message
  const problem = name === '__proto__' ? 'cannot be the name of a variable' : wrong
  if (problem === undefined) settings.env_vars[name] = value
  ledger.set(directive, problem === undefined ? entry('imported', `env_vars.${name}`) : { outcome: 'left_out', message: problem })
}

const ours = new Map(mimeTypes.flatMap(([type, extensions]) => extensions.split(' ').map((extension) => [extension, type] as const)))

/** One block of the media types that are not NxMesh's own already. */
function typesOf(http: readonly SourceDirective[], ledger: Ledger): SourceDirective | undefined {
  const blocks = http.filter(({ name, block }) => name === 'types' && block)
  const own = new Map<string, SourceDirective>()
  for (const child of blocks.flatMap(({ block = [] }) => block)) {
    const news = child.args.filter((extension) => ours.get(extension) !== child.name)
    if (news.length === 0) ledger.set(child, { outcome: 'replaced', message: 'NxMesh has this media type itself' })
    for (const extension of news) {
      const head = `${quote(child.name)} ${quote(extension)}`
      own.set(extension, { ...child, args: [extension], head })
    }
  }
  const [first] = blocks
  if (!first) return undefined
  const types = { ...first, block: [...own.values()] }
  const message = own.size === 0 ? undefined : problemOf(types, 'http', nothingMore)
  const said = message === undefined ? entry('imported', 'nginx_directives.types') : { outcome: 'left_out' as const, message }
  for (const block of blocks) {
    ledger.set(block, said)
    for (const child of block.block ?? []) if (!ledger.has(child)) ledger.set(child, said)
  }
  return own.size === 0 || message !== undefined ? undefined : types
}
