import type { LocationOptions, ServerOptions, SettingsOptions } from '@nxmesh/model/options'
import { clientLines } from './options/client.ts'
import type { OptionLine } from './options/line.ts'
import { proxyLines } from './options/proxy.ts'
import type { ConfigWriter, LineSource } from './writer.ts'

export type Options = Partial<SettingsOptions & ServerOptions & LocationOptions>

/** The directives that the typed options of one place are written as. */
export function optionLines(options: Options): OptionLine[] {
  return [...(options.client ? clientLines(options.client) : []), ...(options.proxy ? proxyLines(options.proxy) : [])]
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
