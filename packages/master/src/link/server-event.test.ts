import { create } from '@bufbuild/protobuf'
import { EventSchema } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { expect, test } from 'vitest'
import { readServerEvent } from './server-event.ts'

const event = (eventType: string, data: Record<string, string>) => create(EventSchema, { eventType, data })
const data = { upstream_id: 'u1', upstream_name: 'api', address: '10.0.0.1:80' }

test('an event of a server is read, one that names none is refused, and others are left to others', () => {
  expect(readServerEvent(event('upstream.server_down', { ...data, error: 'status 500' }))).toEqual({
    kind: 'down',
    ...data,
    error: 'status 500',
  })
  expect(readServerEvent(event('upstream.server_up', data))).toEqual({ kind: 'up', ...data, error: null })
  expect(readServerEvent(event('upstream.server_up', { upstream_id: 'u1' }))).toMatchObject({ kind: 'malformed' })
  expect(readServerEvent(event('upstream.server_down', { ...data, address: 'a'.repeat(501) }))).toMatchObject({ kind: 'malformed' })
  expect(readServerEvent(event('command.result', data))).toBeUndefined()
})
