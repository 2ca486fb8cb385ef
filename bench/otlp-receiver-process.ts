import { createServer } from 'node:http'

// A receiver of OTLP that takes everything and looks at nothing, so that little of what is measured is its own work.
let [requests, bytes, lastAt] = [0, 0, 0]
const server = createServer((request, response) => {
  if (request.method === 'GET') {
    response.end(JSON.stringify({ requests, bytes, lastAt }))
    return
  }
  request.on('data', (part: Buffer) => (bytes += part.length))
  request.on('end', () => {
    requests++
    lastAt = Date.now()
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
  })
})
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as { port: number }
  console.log(`ready ${port}`)
})
