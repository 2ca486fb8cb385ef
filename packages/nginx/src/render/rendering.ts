import type { Report } from './report.ts'
import type { PlacedSettings } from './settings.ts'
import type { RenderTarget } from './target.ts'
import type { UpstreamBlocks } from './upstream.ts'
import type { ConfigWriter } from './writer.ts'

/** What the parts of http.conf share while it is written. */
export interface Rendering {
  target: RenderTarget
  writer: ConfigWriter
  report: Report
  upstreams: UpstreamBlocks
  placed: PlacedSettings
}
