import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { answering, applyOn, ask, desired, distinctBinaries, openBench, startOn } from './testing.ts'

describe.each(distinctBinaries())('nginx $label', ({ path }) => {
  test('hazard 5: a port that was open to all is not narrowed while nginx runs; the finding says so, and what served goes on', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: path })
    await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'all')] }))
    const narrow = answering(port, 'one', { listen_addresses: ['127.0.0.1'] })
    const second = await applyOn(agent, bench, desired(2, { virtual_hosts: [narrow] }))
    const message = expect.stringContaining('already open on all addresses in this nginx')
    expect(second).toMatchObject({ status: 'failed', findings: [{ severity: 'error', id: narrow.id, field: 'listen_addresses', message }] })
    expect(await ask(port)).toBe('all')
  })

  test('hazard 45: a host on an address that this machine does not have is left out, and the others serve', async () => {
    await using bench = await openBench()
    const [port, other] = [await freePort(), await freePort()]
    await using agent = await startOn(bench, { nginx: path })
    const away = answering(other, 'away', { id: '00000000-0000-7000-8001-000000000009', listen_addresses: ['192.0.2.5'] })
    const result = await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'here'), away] }))
    expect(result).toMatchObject({ status: 'success', findings: [{ severity: 'error', id: away.id, field: 'listen_addresses.0' }] })
    expect(await ask(port)).toBe('here')
    expect((await agent.health()).generation?.absent_addresses).toEqual(['192.0.2.5'])
  })
})
