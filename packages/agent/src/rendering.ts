import type { AgentConfig } from '@nxmesh/model/agent-config'
import type { NginxFacts } from '@nxmesh/nginx/facts'
import { render } from '@nxmesh/nginx/render'
import type { Rendered } from '@nxmesh/nginx/render/target'
import type { Socket } from '@nxmesh/nginx/shared-sockets'
import type { Scope } from './scope.ts'

/** Renders for this machine; only the include mode names its own directory, so that an owned config does not change with its place. */
export function renderFor(
  scope: Scope,
  { config, digest }: { config: AgentConfig; digest: string },
  facts: NginxFacts,
  directory: string,
  reuseport: readonly Socket[] = [],
): Rendered {
  const { installation, paths, ipv6, workerUser } = scope
  return render(config, {
    facts,
    mode: installation.mode,
    digest,
    runtime_directory: paths.runtime,
    access_log: paths.accessLog,
    ipv6,
    absent_addresses: scope.addresses.absent,
    marks: scope.marks.current,
    names: scope.names.current,
    ...(scope.answers === undefined ? {} : { resolver: scope.answers.address }),
    ...(workerUser === undefined ? {} : { worker_user: workerUser }),
    reuseport,
    ...(installation.mode === 'include' ? { directory } : {}),
  })
}
