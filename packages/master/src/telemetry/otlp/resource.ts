import { attributeKey, type Value, type WireWriter } from './wire-writer.ts'

/** What is known of an agent besides its id; of one that was deleted it is nothing. */
export interface KnownAgent {
  id: string
  name: string
  hostname: string
  workspaceId: string
}

const keys = {
  'service.name': attributeKey('service.name'),
  'service.instance.id': attributeKey('service.instance.id'),
  'host.name': attributeKey('host.name'),
  'nxmesh.agent.id': attributeKey('nxmesh.agent.id'),
  'nxmesh.agent.name': attributeKey('nxmesh.agent.name'),
  'nxmesh.workspace.id': attributeKey('nxmesh.workspace.id'),
}
const scopeName = 'nxmesh'
// Fields of ResourceLogs and ResourceMetrics, of ScopeLogs and ScopeMetrics, and of Resource and InstrumentationScope: the same in both.
const field = { resource: 1, scopeEntries: 2, scope: 1, entries: 2, attributes: 1, name: 1 } as const

/** The entries of one agent, each written as one message by `write`. */
export function writeAgent(out: WireWriter, agent: string, known: KnownAgent | undefined, write: (entries: number) => void): void {
  out.message(1, () => {
    out.message(field.resource, () => {
      for (const [name, value] of Object.entries(attributesOf(agent, known))) {
        out.attribute(field.attributes, keys[name as keyof typeof keys], value)
      }
    })
    out.message(field.scopeEntries, () => {
      out.message(field.scope, () => out.text(field.name, scopeName))
      write(field.entries)
    })
  })
}

function attributesOf(id: string, known: KnownAgent | undefined): Partial<Record<keyof typeof keys, Value>> {
  return {
    'service.name': 'nginx',
    'service.instance.id': id,
    'nxmesh.agent.id': id,
    ...(known && { 'nxmesh.agent.name': known.name, 'nxmesh.workspace.id': known.workspaceId }),
    ...(known && known.hostname !== '' && { 'host.name': known.hostname }),
  }
}

/** Milliseconds since the epoch as OpenTelemetry counts. */
export function nanoseconds(milliseconds: number): bigint {
  return BigInt(Math.max(0, Math.floor(milliseconds))) * 1_000_000n
}

/** Rows by their agent, each in the order that they were in. */
export function byAgent<Row extends { agent: string }>(rows: readonly Row[]): Map<string, Row[]> {
  return Map.groupBy(rows, ({ agent }) => agent)
}
