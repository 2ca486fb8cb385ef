import { startAuthority } from '@nxmesh/testkit/acme-authority/authority'

// The CA lives in a process of its own, so that what the master costs is the master's alone.
const day = 86_400_000
let behind = Number(process.env['DAYS_BEHIND']) * day
const authority = await startAuthority({ now: () => Date.now() - behind, isBusy: true })
authority.windowOf = ({ notBefore }) => ({ start: notBefore + 60 * day, end: notBefore + 62 * day })

process.on('message', (message: { present?: true }) => {
  if (message.present) behind = 0
  const issued = authority.orders.filter(({ status }) => status === 'valid').length
  process.send?.({ issued, requests: authority.asked.length, connections: authority.connections() })
})
// Whoever has started it may be gone without a word.
process.on('disconnect', () => void authority[Symbol.asyncDispose]())
process.send?.({ directoryUrl: authority.directoryUrl, caPem: authority.caPem })
