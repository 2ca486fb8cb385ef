import type { AgentConfig } from '@nxmesh/model/agent-config'
import type { ExplainInput, Explanation } from '@nxmesh/model/explanation'
import type { RenderTarget } from '@nxmesh/nginx/render/target'

type List = 'virtual_hosts' | 'upstreams'

/** Some of a config on its way to the thread: its long lists go in parts, so that none takes the master long to copy. */
export type ConfigPart =
  | { list: 'virtual_hosts'; entries: AgentConfig['virtual_hosts'] }
  | { list: 'upstreams'; entries: AgentConfig['upstreams'] }
  | { list: 'none'; rest: Omit<AgentConfig, List> }

/** What the thread that explains is told. What is rendered depends on the target alone, as that holds the digest of the config. */
export type ToThread =
  | { kind: 'ask'; id: number; target: RenderTarget; input: ExplainInput }
  | { kind: 'part'; id: number; part: ConfigPart }
  /** A question goes to the thread again, now that it has all parts of the config. */
  | { kind: 'whole'; id: number; target: RenderTarget; input: ExplainInput }

/** What it says. `missing`: it does not have that config. */
export type FromThread =
  | { kind: 'missing'; id: number }
  | { kind: 'answer'; id: number; explanation: Explanation }
  | { kind: 'unreadable'; id: number; message: string }
  | { kind: 'failed'; id: number; message: string }
