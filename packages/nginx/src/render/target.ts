import type { Finding } from '@nxmesh/model/agent'
import type { NginxFacts } from '../facts.ts'
import type { HealthInFiles, Marks } from '../health-marks.ts'
import type { ResolvedNames } from '../resolved-names.ts'
import type { Socket } from '../shared-sockets.ts'
import type { LineSource } from './writer.ts'

/** The nginx that a config is rendered for. Paths are absolute. */
export interface RenderTarget {
  facts: Pick<NginxFacts, 'supports' | 'version' | 'modules'>
  /** `owned`: the whole nginx.conf is ours. `include`: one file inside the http block of the host's own nginx.conf. */
  mode: 'owned' | 'include'
  digest: string
  /** Where the pid file, the private socket, temporary files and logs of the running nginx live. */
  runtime_directory: string
  ipv6: boolean
  /** The addresses that hosts listen on and the machine does not have, in the one spelling. */
  absent_addresses?: readonly string[]
  /** The user of the workers; only when the master process runs as root. */
  worker_user?: string
  /** The folder the files are written to. Needed in include mode to name certificate files: nginx resolves relative paths against the host's nginx.conf. */
  directory?: string
  /** Where requests are logged as one JSON object per line; absent, they are not logged (owned) or as the host says (include). */
  access_log?: string
  /** Servers that fail their health checks. */
  marks?: Marks
  /** The addresses of the host names in a config, which are written in the place of the names: nginx refuses a config with one that it cannot resolve. */
  names?: ResolvedNames
  /** Where the agent answers which servers of an upstream take requests: `address:port`. Absent, marks are written into the files. */
  resolver?: string
  /**
   * Sockets that others may be opened beside, on the way to listens that nginx cannot open at once. A port that has single addresses
   * among them has its servers there alone; a socket on which none listens is kept open.
   */
  reuseport?: readonly Socket[]
}

/** The name of the folder that holds the files of a config, unless one of that name is there already. */
export function generationName({ version, digest }: { version: number; digest: string }): string {
  return `${version}-${digest.slice(0, 12)}`
}

/** What the configuration puts before the path of a file of its own: nginx takes other paths from the folder of the nginx.conf that it was started with. */
export function folderOf({ directory }: Pick<RenderTarget, 'directory'>): string {
  return directory === undefined ? '' : `${directory.replace(/\/$/, '')}/`
}

export interface RenderedFile {
  /** Relative to the folder of the generation. */
  path: string
  text: string
  /** Permission bits. */
  mode: number
}

export interface Listen {
  port: number
  /** Absent: all of them. */
  address?: string
  transport: 'tcp' | 'udp'
}

export interface Rendered {
  files: RenderedFile[]
  /** Where a line (from 1) of a rendered file comes from; undefined for lines that are ours alone. */
  sources: (file: string, line: number) => LineSource | undefined
  health: HealthInFiles
  /** The ports that nginx binds, in ascending order, without those of the host's own configuration. */
  listens: Listen[]
  /** What cannot be served as asked. An `error` means that the object, or that part of it, is left out. */
  findings: Finding[]
}
