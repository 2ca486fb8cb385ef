import { checkMailDirectives } from '../check-mail.ts'
import { inMail } from '../directive-rules.ts'
import { type Entry, type Ledger, noteWhole } from './ledger.ts'
import { withSslInListen } from './mail-ssl.ts'
import { noteKept, spelledOut } from './nested.ts'
import { refusedBecause } from './refused.ts'
import { replacedBecause } from './replaced.ts'
import type { SourceDirective } from './source.ts'
import { textOf } from './text.ts'

const saidInListens: Entry = { outcome: 'imported', message: 'is said in "listen", as newer releases want it' }
const noHeaders = { add_header: [], proxy_set_header: [] }

/**
 * Keeps what stands in a mail block for the settings, in its order: `mail_directives`. A server is taken whole or not at all. `obstacle`
 * says why none of it can be.
 */
export function importMail(mail: readonly SourceDirective[], obstacle: string | undefined, ledger: Ledger): string[] {
  if (obstacle !== undefined) {
    for (const directive of mail) noteWhole(ledger, directive, { outcome: 'left_out', message: obstacle })
    return []
  }
  for (const directive of mail) if (directive.name === 'ssl') ledger.set(directive, saidInListens)
  const common = mail
    .filter((directive) => directive.name !== 'server' && !ledger.has(directive) && keepsAlone(directive, ledger))
    .map((directive) => textOf(directive))
  const kept: string[] = []
  for (const directive of mail) {
    if (ledger.has(directive)) continue
    const isServer = directive.name === 'server' && directive.block !== undefined
    const text = textOf(spelledOut(isServer ? withSslInListen(directive, mail) : directive, noHeaders))
    const message = directive.name === 'server' ? serverProblem(directive, [...common, text]) : undefined
    if (message !== undefined) {
      noteWhole(ledger, directive, { outcome: 'left_out', message })
      continue
    }
    noteKept(ledger, directive, {
      outcome: 'kept',
      object: { kind: 'settings', name: 'settings' },
      field: `mail_directives.${kept.length}`,
    })
    for (const child of directive.block ?? []) if (child.name === 'ssl') ledger.set(child, saidInListens)
    kept.push(text)
  }
  return kept
}

function keepsAlone(directive: SourceDirective, ledger: Ledger): boolean {
  const { name, args } = directive
  const because = replacedBecause(name, args)
  const message = because ?? refusedFile(directive) ?? checkMailDirectives([textOf(directive)], '')[0]?.message
  if (message !== undefined) noteWhole(ledger, directive, { outcome: because === undefined ? 'left_out' : 'replaced', message })
  return message === undefined
}

function serverProblem(server: SourceDirective, texts: readonly string[]): string | undefined {
  const missing = (server.block ?? []).flatMap((child) => refusedFile(child) ?? [])[0]
  return missing ?? checkMailDirectives(texts, '').find(({ field }) => field === `.${texts.length - 1}`)?.message
}

function refusedFile({ name, args }: SourceDirective): string | undefined {
  return name === 'include' ? refusedBecause(name, args, inMail) : undefined
}
