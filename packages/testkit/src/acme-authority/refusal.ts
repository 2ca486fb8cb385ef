/** What an ACME server answers to a request that it does not take. Source: RFC 8555 section 6.7. */
export class Refusal extends Error {
  override name = 'Refusal'
  status: number
  type: string
  headers: Record<string, string>

  constructor(status: number, type: string, detail: string, headers: Record<string, string> = {}) {
    super(detail)
    this.status = status
    this.type = type
    this.headers = headers
  }
}
