/** What came of trying to deliver something once. `gone`: the receiver wants nothing more, ever. */
export interface Outcome {
  result: 'delivered' | 'failed' | 'gone'
  /** The status of the answer and how it begins, where there was one. */
  status: number | null
  response: string | null
  error: string | null
  /** Seconds for which the receiver wants to be left alone. */
  retryAfter: number
}

export function failure(error: string): Outcome {
  return { result: 'failed', status: null, response: null, error, retryAfter: 0 }
}
