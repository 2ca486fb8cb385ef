import fastify from 'fastify'

// What a master's answers cost Fastify alone: routes at the same addresses that send what they were given and do nothing else.
const { one, page } = JSON.parse(process.env['ANSWERS']!) as { one: object; page: object }

const app = fastify()
app.get('/v1/upstreams/:upstream_id', async () => one)
app.patch('/v1/upstreams/:upstream_id', async () => one)
app.get('/v1/workspaces/:workspace_id/upstreams', async () => page)
app.post('/v1/workspaces/:workspace_id/upstreams', async (_request, reply) => reply.code(201).send(one))
console.log(`ready ${await app.listen({ host: '127.0.0.1', port: 0 })}`)
