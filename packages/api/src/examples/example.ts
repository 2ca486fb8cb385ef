import type { z } from 'zod'
import type { RouteName, Routes } from '../routes.ts'

/** An exchange as documents show it: what is sent and what comes back, each only where it is shown. */
export interface Example<Body, Response = unknown> {
  query?: Record<string, string>
  body?: Body
  response?: Response
}

/** Examples by the name of their route. */
export type Examples = { [Name in RouteName]?: Example<z.input<Routes[Name]['body']>> }
