import type { LocationOptions, ServerOptions, SettingsOptions } from '@nxmesh/model/options'
import type { AcceptProxyProtocol } from '@nxmesh/model/options/accept-proxy-protocol'
import { accessLines } from './options/access.ts'
import { authBasicFile, authBasicLines } from './options/auth-basic.ts'
import { clientLines } from './options/client.ts'
import { brotliLines, gzipLines } from './options/compression.ts'
import { limitConnLines, limitReqLines } from './options/limits.ts'
import type { OptionLine } from './options/line.ts'
import { proxyLines, type Speaks } from './options/proxy.ts'
import { type Cache, proxyCacheLines } from './options/proxy-cache.ts'
import { proxyProtocolLines, realIpLines } from './options/real-ip.ts'
import { staticLines } from './options/static.ts'
import type { Rendering } from './rendering.ts'
import type { RenderTarget } from './target.ts'
import type { LineSource } from './writer.ts'

type Beside = { index: string | undefined; accept_proxy_protocol: AcceptProxyProtocol | undefined }

export type Options = Partial<SettingsOptions & ServerOptions & LocationOptions & Beside>

/** Where options stand. */
export interface Place {
  /** Tells it from all other places: what is counted for it in memory goes by this. */
  key: string
  /** The id of the virtual host; empty in the settings. */
  host: string
  cache: Cache
  speaks: Speaks
  /** How the configuration names the folder of its files. */
  folder: string
}

/** The directives that the typed options of one place are written as, whatever nginx can do. */
export function optionLines(options: Options, place: Place): OptionLine[] {
  const lines: OptionLine[] = []
  if (options.client) lines.push(...clientLines(options.client))
  if (options.proxy) lines.push(...proxyLines(options.proxy, place.speaks))
  if (options.gzip) lines.push(...gzipLines(options.gzip))
  if (options.brotli) lines.push(...brotliLines(options.brotli))
  if (options.real_ip) lines.push(...realIpLines(options.real_ip))
  if (options.accept_proxy_protocol) lines.push(...proxyProtocolLines(options.accept_proxy_protocol))
  if (options.access) lines.push(...accessLines(options.access))
  if (options.auth_basic) lines.push(...authBasicLines(options.auth_basic, place.key, place.folder))
  if (options.limit_req) lines.push(...limitReqLines(options.limit_req, place.key))
  if (options.limit_conn) lines.push(...limitConnLines(options.limit_conn, place.key))
  if (options.proxy_cache) lines.push(...proxyCacheLines(options.proxy_cache, place.cache, place.host))
  if (options.static) lines.push(...staticLines(options.static, options.index))
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
  { writer, shared, uses }: Pick<Rendering, 'writer' | 'shared' | 'uses'>,
  lines: readonly OptionLine[],
  at: { source: LineSource; prefix: string; indent: string },
): void {
  for (const line of lines) {
    const source = { ...at.source, field: at.prefix + line.field }
    writer.from(source)
    writer.lines(at.indent + line.text)
    if (line.needs === 'brotli') uses.add(line.needs)
    if (line.shared !== undefined && !shared.has(line.shared)) shared.set(line.shared, source)
  }
}

/** Notes the file that the users of a place are listed in, where they are asked for. */
export function noteUsers({ files }: Pick<Rendering, 'files'>, { auth_basic }: Options, place: string): void {
  if (!auth_basic?.enabled) return
  const file = authBasicFile(auth_basic, place)
  files.set(file.path, file)
}

/** Writes what they need in the http block. It may stand behind the servers: nginx looks for it when it has read all of the block. */
export function writeShared({ writer, shared }: Pick<Rendering, 'writer' | 'shared'>): void {
  for (const [text, source] of shared) {
    writer.from(source)
    writer.lines(text)
  }
  writer.from(undefined)
}
