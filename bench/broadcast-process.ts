import { type WebSocket, WebSocketServer } from 'ws'

// The least that a broadcast can be: what it is told goes to every socket.
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })
server.on('listening', () => process.send?.({ port: (server.address() as { port: number }).port }))
process.on('message', ({ text }: { text: string }) => {
  const data = Buffer.from(text)
  for (const client of server.clients as Set<WebSocket>) client.send(data, { binary: false })
})
