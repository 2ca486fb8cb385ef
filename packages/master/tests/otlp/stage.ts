import { startTestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { expect } from 'vitest'
import { line, newTelemetryAgent, type TelemetryAgent } from '../telemetry-agent.ts'
import { type Receiver, startReceiver } from './receiver.ts'

export const start = Date.parse('2026-03-01T00:00:00Z')

export const nanoseconds = (time: number) => BigInt(time) * 1_000_000n

/** A master with what tests of its export ask for. */
type Place = Awaited<ReturnType<typeof startPlace>>

async function startPlace(directory: string, settings: string[]) {
  const mesh = await startTestMaster(directory, settings)
  const { master } = mesh
  const { telemetry, authority } = master.ctx
  const statusOf = (signal: 'logs' | 'metrics') => telemetry.status().exports[signal]
  return { ...mesh, port: master.agents.port, caPem: authority.caPem, telemetry, statusOf }
}

/** A directory and a receiver of one test; what is opened for it ends with it. */
export interface Stage {
  stack: AsyncDisposableStack
  directory: string
  receiver: Receiver
  /** Starts a master, by default with an export to the receiver. */
  startPlace(settings?: string[]): Promise<Place>
  withAgent(settings?: string[]): Promise<{ place: Place; agent: TelemetryAgent }>
  /** The requests that the receiver has log records of. */
  ids(): unknown[]
  arrive(count: number): Promise<unknown>
  /** Another receiver takes the place of the one there is. */
  receive(...how: Parameters<typeof startReceiver>): Promise<Receiver>
  end(): Promise<void>
}

export async function openStage(): Promise<Stage> {
  const stack = new AsyncDisposableStack()
  const directory = stack.use(await scratch()).path
  const stage: Stage = {
    stack,
    directory,
    receiver: stack.use(await startReceiver()),
    startPlace: (settings = ['--otlp-endpoint', stage.receiver.url]) => startPlace(directory, settings),
    async withAgent(settings) {
      const place = stack.use(await stage.startPlace(settings))
      return { place, agent: stack.use(await newTelemetryAgent(place, 'web-server-01')) }
    },
    ids: () => stage.receiver.logs.map(({ attributes }) => attributes['nxmesh.request_id']),
    arrive: (count) => until(`${count} records to arrive`, () => stage.receiver.logs.length >= count),
    async receive(...how) {
      stage.receiver = stack.use(await startReceiver(...how))
      return stage.receiver
    },
    async end() {
      expect(stage.receiver.problems).toEqual([])
      await stack.disposeAsync()
    },
  }
  return stage
}

/** Kills the process of the store and waits for the next one. */
export async function endStore({ telemetry }: Place): Promise<void> {
  const { pid, restarts } = telemetry.status()
  process.kill(pid!, 'SIGKILL')
  await until('the store to be back', () => telemetry.status().restarts > restarts && telemetry.status().state === 'ready')
}

/** Waits until so many rows are counted, with nothing that fails. */
export async function counted(place: Place, exported: number, refused = 0): Promise<void> {
  await until(`${exported} to be counted`, () => place.statusOf('logs')?.exported === exported)
  expect(place.statusOf('logs')).toEqual({ exported, refused, skipped: 0, failing: undefined })
}

/** Sends lines in a batch of their own. */
export async function send(agent: TelemetryAgent, ...names: string[]): Promise<void> {
  const entries = names.map((request_id, index) => line(start + index, { request_id }))
  expect(await agent.logs({ entries })).toMatchObject({ success: true })
}
