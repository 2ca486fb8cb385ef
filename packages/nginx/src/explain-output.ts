import type { Finding } from '@nxmesh/model/agent'
import { causeOf, withCause } from './message-cause.ts'
import { compiled, type NginxMessage, readMessages } from './nginx-messages.ts'
import type { Rendered } from './render/target.ts'
import type { LineSource } from './render/writer.ts'

/**
 * Turns what nginx printed (`nginx -t`, or lines of its error log) into findings in nginx's own words, each with the object and
 * field that it is about where that can be told: by file and line, else by a name that the message quotes. Words that nginx
 * quotes from files which are not ours are left out, as they may be anything.
 */
export function explainOutput(stderr: string, rendered: Rendered): Finding[] {
  const findings: Finding[] = []
  const seen = new Set<string>()
  for (const message of readMessages(stderr)) {
    const key = `${message.text}\n${message.file}\n${message.line}`
    if (seen.has(key)) continue
    seen.add(key)
    findings.push(withCause(explain(message, rendered)))
  }
  return findings
}

/**
 * What nginx's words mean where nothing is known of the files that they are about: what `nginx -t` printed, or the one sentence that an
 * agent gives as the reason. Nothing for words that are not nginx's.
 */
export function explainWords(output: string): Finding[] {
  const messages = readMessages(output)
  if (messages.length > 0)
    return messages.map(({ text, level, file, line }) => withCause({ ...severityOf(level, text), ...at(file, line) }))
  const cause = causeOf(output)
  return cause ? [{ severity: 'error', message: output, ...cause }] : []
}

function severityOf(level: NginxMessage['level'], message: string): Pick<Finding, 'severity' | 'message'> {
  return { severity: level === 'warn' || compiled.test(message) ? 'warning' : 'error', message }
}

function at(file: string | undefined, line: number | undefined): Pick<Finding, 'file' | 'line'> {
  return file === undefined || line === undefined ? {} : { file, line }
}

function explain(message: NginxMessage, rendered: Rendered): Finding {
  const { severity } = severityOf(message.level, message.text)
  if (message.file === undefined || message.line === undefined) {
    const source = findByName(message.text, rendered)
    return { severity, message: message.text, ...fieldsOf(source) }
  }
  const file = ownFile(message.file, rendered)
  if (file === undefined) return { severity, message: withoutQuotes(message.text), file: message.file, line: message.line }
  const source = rendered.sources(file, message.line) ?? findByName(message.text, rendered)
  return { severity, message: message.text, file, line: message.line, ...fieldsOf(source) }
}

function fieldsOf(source: LineSource | undefined): Partial<Finding> {
  return source ?? {}
}

function ownFile(path: string, rendered: Rendered): string | undefined {
  return rendered.files.find((file) => path === file.path || path.endsWith(`/${file.path}`))?.path
}

// A path that nginx was denied is what somebody must know to mend it (file modes, SELinux, AppArmor, ProtectSystem of systemd).
const denied = /^\w+\(\) "\/[^"]*" failed \((?:13: Permission denied|1: Operation not permitted|30: Read-only file system)\)$/

/** From the first quote to the last: what stands between may hold quotes of its own. */
function withoutQuotes(text: string): string {
  if (denied.test(text)) return text
  return text.replace(/"[^]*"/, '"…"')
}

/** Looks for what the message names in what was rendered: a port that cannot be bound, a variable, a host name, a file. */
function findByName(text: string, rendered: Rendered): LineSource | undefined {
  const port = /bind\(\) to \S*?:(\d+) failed/.exec(text)?.[1]
  if (port !== undefined) return findLine(rendered, new RegExp(`^\\s*listen (?:\\[::\\]:)?${port}[ ;]`, 'm'), 'first')
  const variable = /unknown "([A-Za-z0-9_]+)" variable/.exec(text)?.[1]
  if (variable !== undefined) return findLine(rendered, new RegExp(`\\$(?:${variable}(?![A-Za-z0-9_])|\\{${variable}\\})`), 'first')
  const clash = /conflicting server name "([^"]*)"/.exec(text)?.[1]
  // nginx keeps the first server of that name, so the message is about the last.
  if (clash !== undefined) return findLine(rendered, new RegExp(`^\\s*server_name [^\\n]*${escape(clash)}[ ;]`, 'm'), 'last')
  const directives = directivesBehind(text)
  if (directives !== undefined) return findLine(rendered, new RegExp(`^\\s*(?:${directives}) `, 'm'), 'first')
  for (const [, quoted] of text.matchAll(/"([^"]{2,})"/g)) {
    const name = relative(quoted!, rendered)
    const source = findLine(rendered, new RegExp(`(?<![A-Za-z0-9_.-])${escape(name)}(?![A-Za-z0-9_.-])`), 'first')
    if (source) return source
  }
  return undefined
}

/** The directives that a message follows from which names others, or none in quotes. */
function directivesBehind(text: string): string | undefined {
  const buffers = /^"([a-z]+)_(?:busy_buffers_size|temp_file_write_size|max_temp_file_size)" must be/.exec(text)?.[1]
  if (buffers !== undefined) return `${buffers}_(?:buffer_size|buffers|busy_buffers_size|temp_file_write_size|max_temp_file_size)`
  const hash = /^could not build .*?you should increase (?:either )?(\w+_size)/.exec(text)?.[1]
  return hash ?? (/^\d+ worker_connections exceed/.test(text) ? 'worker_connections' : undefined)
}

/** nginx prints the full path of a certificate that the configuration may name relatively. */
function relative(quoted: string, rendered: Rendered): string {
  return rendered.files.find((file) => quoted.endsWith(`/${file.path}`))?.path ?? quoted
}

function findLine(rendered: Rendered, pattern: RegExp, which: 'first' | 'last'): LineSource | undefined {
  for (const { path, text } of rendered.files) {
    if (!path.endsWith('.conf')) continue
    let found: LineSource | undefined
    const global = new RegExp(pattern.source, `${pattern.flags}g`)
    let line = 1
    let counted = 0
    for (const match of text.matchAll(global)) {
      const at = match.index + match[0].search(/\S/)
      for (; counted < at; counted++) if (text.charCodeAt(counted) === 10) line++
      const source = rendered.sources(path, line)
      if (!source) continue
      found = source
      if (which === 'first') return found
    }
    if (found) return found
  }
  return undefined
}

function escape(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
}
