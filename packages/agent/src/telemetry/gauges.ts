import type { Sample } from '../link/batches.ts'
import type { HostUsage } from './host.ts'
import type { StubStatus } from './stub-status.ts'

/** What nginx, the machine and the agent are at right now. Without an answer of nginx it is down and has no connections to tell of. */
export function gaugesOf(stub: StubStatus | undefined, system: HostUsage, residentBytes: number): Sample[] {
  const gauge = (name: string, value: number): Sample => ({ name, value, type: 'gauge' })
  const counter = (name: string, value: number): Sample => ({ name, value, type: 'counter' })
  return [
    gauge('nginx_up', stub ? 1 : 0),
    gauge('nginx_connections_active', stub?.active ?? 0),
    gauge('nginx_connections_reading', stub?.reading ?? 0),
    gauge('nginx_connections_writing', stub?.writing ?? 0),
    gauge('nginx_connections_waiting', stub?.waiting ?? 0),
    ...(stub ? [counter('nginx_connections_accepted_total', stub.accepted), counter('nginx_connections_handled_total', stub.handled)] : []),
    gauge('system_cpu_percent', system.cpu_percent),
    gauge('system_memory_used_bytes', system.memory_used_bytes),
    gauge('system_memory_total_bytes', system.memory_total_bytes),
    gauge('system_disk_used_bytes', system.disk_used_bytes),
    gauge('system_disk_total_bytes', system.disk_total_bytes),
    gauge('system_load_average_1m', system.load_average_1m),
    gauge('nxmesh_agent_resident_memory_bytes', residentBytes),
  ]
}
