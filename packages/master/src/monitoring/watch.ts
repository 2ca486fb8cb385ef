import { agentStates } from '@nxmesh/model/agent'
import { Counter, type CounterConfiguration, Gauge, type GaugeConfiguration, type Registry } from 'prom-client'
import type { Ctx } from '../ctx.ts'
import type { ReconcilerStatus } from '../reconcilers.ts'

interface Parts {
  ctx: Pick<Ctx, 'sessions' | 'agentWrites' | 'telemetry'>
  reconcilers: { statuses(): ReconcilerStatus[] }
  listeners: () => number
}

type Values = [labels: Record<string, string>, value: number][]

/** Adds what is looked up when somebody asks. Counters are told as they stand: they begin anew with the master. */
export function watch(registry: Registry, { ctx, reconcilers, listeners }: Parts): void {
  const { sessions, agentWrites, telemetry } = ctx
  gauge('nxmesh_agents_connected', 'Agents connected to this master, by their state.', ['state'], () =>
    agentStates.map((state) => {
      const those = [...sessions.all()].filter(({ agentId }) => agentWrites.facts(agentId)?.state === state)
      return [{ state }, those.length]
    }),
  )
  gauge('nxmesh_event_sockets', 'Open WebSockets of live events.', [], () => [[{}, listeners()]])
  counter('nxmesh_reconciler_runs_total', 'Runs of each reconciler.', ['reconciler'], () =>
    reconcilers.statuses().map(({ name, runs }) => [{ reconciler: name }, runs]),
  )
  gauge('nxmesh_reconciler_failing', '1 where the last run of a reconciler failed.', ['reconciler'], () =>
    reconcilers.statuses().map(({ name, error }) => [{ reconciler: name }, error === null ? 0 : 1]),
  )
  counter('nxmesh_telemetry_rows_total', 'Log entries, metrics and events that agents sent and this master took.', ['kind'], () => {
    const { refused: _refused, ...taken } = sessions.received
    return Object.entries(taken).map(([kind, count]) => [{ kind }, count])
  })
  counter('nxmesh_telemetry_refused_total', 'Messages of agents that were refused or could not be stored when they came.', [], () => [
    [{}, sessions.received.refused],
  ])
  gauge('nxmesh_telemetry_store_up', '1 where the telemetry store answers, or has not been needed yet.', [], () => {
    const { state } = telemetry.status()
    return [[{}, state === 'ready' || state === 'idle' ? 1 : 0]]
  })
  counter('nxmesh_telemetry_store_restarts_total', 'How often the telemetry store has ended by itself.', [], () => [
    [{}, telemetry.status().restarts],
  ])
  gauge('nxmesh_telemetry_quarantined_files', 'Files of the telemetry store that could not be read and were put aside.', [], () => [
    [{}, telemetry.status().quarantined],
  ])
  counter('nxmesh_otlp_rows_total', 'Rows for the OpenTelemetry receiver, by what became of them.', ['signal', 'outcome'], () =>
    Object.entries(telemetry.status().exports).flatMap(([signal, { exported, refused, skipped }]) =>
      Object.entries({ exported, refused, skipped }).map(([outcome, count]) => [{ signal, outcome }, count] as Values[number]),
    ),
  )
  gauge('nxmesh_otlp_failing', '1 where the OpenTelemetry receiver does not take what it is sent.', ['signal'], () =>
    Object.entries(telemetry.status().exports).map(([signal, { failing }]) => [{ signal }, failing ? 1 : 0]),
  )

  function gauge(name: string, help: string, labelNames: string[], values: () => Values) {
    const made: Gauge = new Gauge({ name, help, labelNames, registers: [registry], collect } as GaugeConfiguration<string>)
    function collect() {
      made.reset()
      for (const [labels, value] of values()) made.set(labels, value)
    }
  }

  function counter(name: string, help: string, labelNames: string[], values: () => Values) {
    const made: Counter = new Counter({ name, help, labelNames, registers: [registry], collect } as CounterConfiguration<string>)
    function collect() {
      made.reset()
      for (const [labels, value] of values()) made.inc(labels, value)
    }
  }
}
