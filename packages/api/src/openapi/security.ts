import type { JsonSchema } from './json-schema.ts'

/** The ways to say who calls: any one of them. */
export const security = [{ bearer: [] }, { cookie: [] }]

export const securitySchemes: Record<string, JsonSchema> = {
  bearer: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'An access token, from `auth.login` or `auth.refresh`, or an API token (`nxm_…`), from `api-token.create`.',
  },
  cookie: {
    type: 'apiKey',
    in: 'cookie',
    name: 'nxmesh_session',
    description:
      'The session of a browser, from `auth.open-session`; over https the name begins with `__Host-`. Requests that change something carry the header `X-NxMesh-Session` too, with any value, and come from this origin.',
  },
}
