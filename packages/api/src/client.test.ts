import type { Upstream } from '@nxmesh/model/upstream'
import type { VirtualHost } from '@nxmesh/model/virtual-host'
import { afterEach, describe, expect, expectTypeOf, test, vi } from 'vitest'
import { type Call, type Client, createClient } from './client.ts'
import { ApiError } from './errors.ts'
import type { Tokens } from './routes/auth.ts'
import { type Routes, routes } from './routes.ts'

// The compiler holds these: nothing of them runs.
describe('types', () => {
  type Answer<Name extends keyof Routes> = Awaited<ReturnType<typeof signedOut.call<Routes[Name]>>>
  const signedOut = createClient('http://localhost', () => undefined)

  test('answers are what the table says', () => {
    expectTypeOf<Answer<'login'>>().toEqualTypeOf<Tokens>()
    expectTypeOf<Answer<'getUpstream'>>().toEqualTypeOf<Upstream>()
    expectTypeOf<Answer<'createVirtualHost'>>().toEqualTypeOf<VirtualHost>()
    expectTypeOf<Answer<'listUpstreams'>['data']>().toEqualTypeOf<Upstream[]>()
    expectTypeOf<Answer<'listUpstreams'>['meta']>().toEqualTypeOf<{ page: number; per_page: number; total: number }>()
    expectTypeOf<Answer<'deleteUpstream'>>().toEqualTypeOf<undefined>()
  })

  test('calls take what the table says, required where it is', () => {
    expectTypeOf<Call<Routes['getUpstream']>>().toHaveProperty('params').toEqualTypeOf<{ upstream_id: string }>()
    expectTypeOf<Call<Routes['createOrganization']>>().toHaveProperty('body').toEqualTypeOf<{ name: string; slug: string }>()
    expectTypeOf<Call<Routes['stopAgent']>['body']>().toEqualTypeOf<
      { graceful?: boolean | undefined; timeout_seconds?: number | undefined } | undefined
    >()
    expectTypeOf<{ params: { workspace_id: string } }>().toExtend<Call<Routes['listAgents']>>()
    expectTypeOf<{ params: { workspace_id: string }; query: { state: 'online' } }>().toExtend<Call<Routes['listAgents']>>()
    expectTypeOf<Record<never, never>>().toExtend<Call<Routes['listOrganizations']>>()
    expectTypeOf<Record<never, never>>().not.toExtend<Call<Routes['listAgents']>>()
    expectTypeOf<{ params: { workspace_id: string }; query: { state: 'asleep' } }>().not.toExtend<Call<Routes['listAgents']>>()
    expectTypeOf<{ params: { agent_id: string } }>().not.toExtend<Call<Routes['validateAgent']>>()
  })

  test('a patch may leave out or clear any field, and knows no other', () => {
    type Body = Call<Routes['updateOrganization']>['body']
    expectTypeOf<Body>().toEqualTypeOf<{ name?: string | null; slug?: string | null }>()
    expectTypeOf<Body>().not.toEqualTypeOf<unknown>()
    expectTypeOf<{ params: { organization_id: string } }>().not.toExtend<Call<Routes['updateOrganization']>>()
    expectTypeOf<{ custom_directives: { gzip: null } }>().toExtend<Call<Routes['updateVirtualHost']>['body']>()
    expectTypeOf<{ custom_directives: { gzip: 1 } }>().not.toExtend<Call<Routes['updateVirtualHost']>['body']>()
    expectTypeOf<{ servers: { address: string }[] }>().toExtend<Call<Routes['updateUpstream']>['body']>()
    expectTypeOf<{ servers: { address: number }[] }>().not.toExtend<Call<Routes['updateUpstream']>['body']>()
  })
})

describe('calls', () => {
  const asked: Request[] = []
  let client: Client

  function answering(status: number, body: unknown) {
    vi.stubGlobal('fetch', async (url: URL, init: RequestInit) => {
      asked.push(new Request(url, init))
      return new Response(body === undefined ? null : JSON.stringify(body), { status })
    })
    client = createClient('http://localhost:1', () => 'the-token')
  }

  afterEach(() => {
    vi.unstubAllGlobals()
    asked.length = 0
  })

  test('parameters are escaped, the query and the token sent', async () => {
    answering(200, { data: [] })
    await client.call(routes.listAgents, { params: { workspace_id: 'a/b?' }, query: { label_selector: 'a=b,c' } })
    expect(asked[0]!.url).toBe('http://localhost:1/v1/workspaces/a%2Fb%3F/agents?label_selector=a%3Db%2Cc')
    expect(asked[0]!.headers.get('authorization')).toBe('Bearer the-token')
  })

  test('a refusal is an ApiError with its code and details', async () => {
    const details = [{ field: 'slug', message: 'is taken', code: 'DUPLICATE' as const }]
    answering(409, { error: { code: 'CONFLICT', message: 'no', request_id: 'x', details } })
    const refused = client.call(routes.createOrganization, { body: { name: 'x', slug: 'x' } })
    await expect(refused).rejects.toEqual(new ApiError('CONFLICT', 'no', details))
  })

  test('nothing to show is undefined', async () => {
    answering(204, undefined)
    expect(await client.call(routes.deleteUpstream, { params: { upstream_id: 'x' } })).toBeUndefined()
  })
})
