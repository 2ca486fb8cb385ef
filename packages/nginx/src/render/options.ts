import type { LocationOptions, ServerOptions, SettingsOptions } from '@nxmesh/model/options'
import { clientLines } from './options/client.ts'
import { brotliLines, gzipLines } from './options/compression.ts'
import type { OptionLine } from './options/line.ts'
import { proxyLines } from './options/proxy.ts'
import { realIpLines } from './options/real-ip.ts'
import type { RenderTarget } from './target.ts'
import type { ConfigWriter, LineSource } from './writer.ts'

export type Options = Partial<SettingsOptions & ServerOptions & LocationOptions>

/** The directives that the typed options of one place are written as, whatever nginx can do. */
export function optionLines(options: Options): OptionLine[] {
  const lines: OptionLine[] = []
  if (options.client) lines.push(...clientLines(options.client))
  if (options.proxy) lines.push(...proxyLines(options.proxy))
  if (options.gzip) lines.push(...gzipLines(options.gzip))
  if (options.brotli) lines.push(...brotliLines(options.brotli))
  if (options.real_ip) lines.push(...realIpLines(options.real_ip))
  return lines
}

const modules = {
  brotli: { severity: 'warning', word: 'brotli' },
  realip: { severity: 'error', word: 'its real-ip module' },
} as const

/** Those of them that this nginx can do and that nobody else sets; what it cannot do is told once for each option. */
export function usableLines(
  lines: readonly OptionLine[],
  { facts }: Pick<RenderTarget, 'facts'>,
  isSet: (name: string) => boolean,
  tell: (severity: 'warning' | 'error', field: string, message: string) => void,
): OptionLine[] {
  const told = new Set<string>()
  return lines.filter(({ name, field, needs }) => {
    if (isSet(name)) return false
    if (needs === undefined || facts.supports[needs]) return true
    const option = field.split('.', 1)[0]!
    const { severity, word } = modules[needs]
    if (!told.has(option)) tell(severity, option, `is not set: nginx ${facts.version} here is built without ${word}`)
    told.add(option)
    return false
  })
}

/** Writes directives of typed options, each with its source; `prefix` is where their object stands, as `locations.0.`. */
export function writeOptions(
  writer: ConfigWriter,
  lines: readonly OptionLine[],
  at: { source: LineSource; prefix: string; indent: string },
): void {
  for (const { field, text } of lines) {
    writer.from({ ...at.source, field: at.prefix + field })
    writer.lines(at.indent + text)
  }
}
