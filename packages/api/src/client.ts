import type { z } from 'zod'
import { ApiError, type ErrorBody } from './errors.ts'
import type { Route } from './route.ts'

type Optional<K extends string, T> = undefined extends T
  ? { [P in K]?: T }
  : Record<never, never> extends T
    ? { [P in K]?: T }
    : { [P in K]: T }

/** What a call of a route takes: path parameters, query and body, each only where the route has it. */
export type Call<R extends Route> = Optional<'params', z.input<R['params']>> &
  Optional<'query', z.input<R['query']>> &
  (undefined extends z.input<R['body']> ? { body?: z.input<R['body']> } : { body: z.input<R['body']> }) & {
    headers?: Record<string, string>
  }

export interface Client {
  /** Calls a route and returns its answer; throws ApiError when the master refuses. */
  call<R extends Route>(route: R, call: Call<R>): Promise<z.output<R['response']>>
}

/** A client of the REST API at `base` (without `/v1`), which sends the access token that `token` gives. */
export function createClient(base: string, token: () => string | undefined): Client {
  return {
    async call(route, call) {
      const { params, query, body, headers } = call as { params?: object; query?: object; body?: unknown; headers?: Record<string, string> }
      const path = Object.entries(params ?? {}).reduce(
        (text, [key, value]) => text.replace(`{${key}}`, encodeURIComponent(String(value))),
        route.path,
      )
      const url = new URL(`/v1${path}`, base)
      for (const [key, value] of Object.entries(query ?? {})) url.searchParams.set(key, String(value))
      const bearer = token()
      const response = await fetch(url, {
        method: route.method,
        headers: {
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      if (response.status === 204) return undefined as never
      const answer = (await response.json()) as unknown
      if (!response.ok) {
        const { error } = answer as ErrorBody
        throw new ApiError(error.code, error.message, error.details)
      }
      return answer as never
    },
  }
}
