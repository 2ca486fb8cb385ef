export interface DoorAnswer {
  status: number
  headers: Headers
  /** Nothing is known of it: what comes back is what is tested. */
  body: ReturnType<typeof JSON.parse>
  text: string
}

export interface DoorRequest {
  body?: unknown
  headers?: Record<string, string>
}

/** Calls the API below `/v1` as it is on the wire. */
export type Door = (method: string, path: string, request?: DoorRequest) => Promise<DoorAnswer>

/** Signs in and returns a door that sends the token. */
export async function openDoor(base: string, credentials: { email: string; password: string }): Promise<Door> {
  const { body } = await doorAt(base, undefined)('POST', '/auth/login', { body: credentials })
  return doorAt(base, body.access_token as string)
}

/** A door that sends this token, or none. */
export function doorAt(base: string, token: string | undefined): Door {
  return async (method, path, { body, headers = {} } = {}) => {
    const response = await fetch(`${base}/v1${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.startsWith('application/json;') === true
    return { status: response.status, headers: response.headers, body: isJson && text !== '' ? JSON.parse(text) : undefined, text }
  }
}
