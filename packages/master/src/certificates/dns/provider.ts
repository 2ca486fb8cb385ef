/** A TXT record: its full name, without the dot at the end and with CNAMEs followed, and its value. */
export interface TxtRecord {
  name: string
  value: string
}

export type DnsOutcome =
  | { ok: true }
  /** `retry`: whether another try may help. */
  | { ok: false; message: string; retry: boolean }

/** Changes the records of a zone at whoever hosts it. */
export interface DnsProvider {
  /** Adds a record beside those that are there: a wildcard and its base name need two at once. */
  present(record: TxtRecord): Promise<DnsOutcome>
  /** Removes this record and no other; fine when it is gone already. */
  cleanup(record: TxtRecord): Promise<DnsOutcome>
}
