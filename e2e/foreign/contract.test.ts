import type { DescFile } from '@bufbuild/protobuf'
import { file_nxmesh_agent_v1_agent as ours } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { expect, test } from 'vitest'
import { file_agent as published } from './gen/agent_pb.ts'

/** Everything that decides about bytes on the wire, one line each. */
function wireOf(file: DescFile): string[] {
  const methods = file.services.flatMap((service) =>
    service.methods.map(
      (method) => `${service.typeName}/${method.name} ${method.methodKind} ${method.input.typeName} ${method.output.typeName}`,
    ),
  )
  const fields = file.messages.flatMap((message) =>
    message.fields.map((field) => `${message.typeName} ${field.toString()} = ${field.number} ${typeOf(field.proto)}`),
  )
  const values = file.enums.flatMap((list) => list.values.map((value) => `${list.typeName} ${value.name} = ${value.number}`))
  return [...methods, ...fields, ...values]
}

function typeOf({ type, label, typeName, oneofIndex }: { type: number; label: number; typeName: string; oneofIndex: number }): string {
  return `${type} ${label} ${typeName} ${oneofIndex}`
}

test('the protocol is the published contract, and whatever it adds to its messages is numbered from 100', () => {
  const contract = wireOf(published)
  const own = new Set(wireOf(ours))
  expect(contract.length).toBeGreaterThan(150)
  expect(contract.filter((line) => !own.has(line))).toEqual([])

  const names = new Set(published.messages.map((message) => message.typeName))
  const known = new Set(contract)
  const added = wireOf(ours).filter((line) => !known.has(line) && names.has(line.split(' ')[0] ?? ''))
  expect(added.length).toBeGreaterThan(10)
  for (const line of added) expect(Number(/ = (\d+) /.exec(line)?.[1])).toBeGreaterThanOrEqual(100)
})
