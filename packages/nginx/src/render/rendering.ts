import type { TlsPolicy } from '@nxmesh/model/tls'
import type { ModuleName } from '../facts.ts'
import type { Report } from './report.ts'
import type { PlacedSettings } from './settings.ts'
import type { RenderedFile, RenderTarget } from './target.ts'
import type { UpstreamBlocks } from './upstream.ts'
import type { ConfigWriter, LineSource } from './writer.ts'

/** What the parts of http.conf share while it is written. */
export interface Rendering {
  target: RenderTarget
  writer: ConfigWriter
  report: Report
  upstreams: UpstreamBlocks
  placed: PlacedSettings
  /** The port on which plain HTTP from outside reaches nginx. */
  httpPort: number
  /** Of virtual hosts that say none. */
  policy: TlsPolicy
  /** The modules that what is written needs. */
  uses: Set<ModuleName>
  /** What options of virtual hosts and locations need in the http block: statements, with what each comes from. */
  shared: Map<string, LineSource>
  /** The files that they need, by path, and how the configuration names the folder of these. */
  files: Map<string, RenderedFile>
  folder: string
  /** The sockets that are still to get `reuseport`, as `listen` names them: nginx takes it once for each. */
  unshared: Set<string>
  /** The challenges that are answered, and on which port; absent where there are none. */
  challenges?: { port: number; thumbprints: Record<string, string> }
}
