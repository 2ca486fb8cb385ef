import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { type CommandSchema, MasterMessageSchema } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { type NamedConfig, toConfigUpdate } from './convert.ts'

/** What the master can ask of an agent. */
export type AgentCommand =
  | { kind: 'reload'; graceful: boolean }
  | { kind: 'restart'; force: boolean }
  | { kind: 'stop'; graceful: boolean; timeout_seconds: number }
  | { kind: 'get_status' }
  | { kind: 'validate_config'; config_content: string }
  | { kind: 'read_host_config' }

type Payload = NonNullable<MessageInitShape<typeof MasterMessageSchema>['payload']>

/** A message of the master, encoded. */
export function frame(payload: Payload): Buffer {
  const bytes = toBinary(MasterMessageSchema, create(MasterMessageSchema, { timestamp: BigInt(Date.now()), payload }))
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export function configFrame(config: NamedConfig): Buffer {
  return frame({ case: 'configUpdate', value: toConfigUpdate(config) })
}

export function commandFrame(commandId: string, command: AgentCommand): Buffer {
  return frame({ case: 'command', value: { commandId, command: commandOf(command) } })
}

function commandOf(command: AgentCommand): NonNullable<MessageInitShape<typeof CommandSchema>['command']> {
  switch (command.kind) {
    case 'reload':
      return { case: 'reload', value: { graceful: command.graceful } }
    case 'restart':
      return { case: 'restart', value: { force: command.force } }
    case 'stop':
      return { case: 'stop', value: { graceful: command.graceful, timeoutSeconds: command.timeout_seconds } }
    case 'get_status':
      return { case: 'getStatus', value: {} }
    case 'validate_config':
      return { case: 'validateConfig', value: { configContent: command.config_content } }
    case 'read_host_config':
      return { case: 'readHostConfig', value: {} }
    default:
      return command satisfies never
  }
}
