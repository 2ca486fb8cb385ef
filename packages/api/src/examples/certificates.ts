import type { Examples } from './example.ts'

const certificate = {
  id: '990e8400-e29b-41d4-a716-446655440005',
  workspace_id: '660e8400-e29b-41d4-a716-446655440001',
  domain: 'example.com',
  names: ['example.com', 'www.example.com'],
  is_wildcard: false,
  provider: 'letsencrypt' as const,
  status: 'active' as const,
  issued_at: '2026-02-01T10:00:00.000Z',
  expires_at: '2026-05-01T10:00:00.000Z',
  auto_renew: true,
  renews_at: '2026-04-01T08:21:00.000Z',
  key_type: 'ec256' as const,
  challenge: 'http-01' as const,
  dns_provider_id: null,
  acme_account_id: '9a0e8400-e29b-41d4-a716-446655440006',
  profile: null,
  issuer: "C=US, O=Let's Encrypt, CN=E7",
  serial: '04D1F0B3C2A1',
  fingerprint: '4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce',
  error: null,
  order: null,
  created_at: '2026-02-01T09:59:00.000Z',
  updated_at: '2026-02-01T10:00:00.000Z',
}

const order = {
  id: '9b0e8400-e29b-41d4-a716-446655440007',
  step: 'validation' as const,
  outcome: null,
  names: [{ name: 'example.com', status: 'pending', challenge: 'http-01' }],
  error: null,
  created_at: '2026-02-01T09:59:00.000Z',
  ended_at: null,
}

const account = {
  id: '9a0e8400-e29b-41d4-a716-446655440006',
  workspace_id: certificate.workspace_id,
  name: 'Corporate CA',
  directory_url: 'https://acme.example.com/directory',
  email: 'certificates@example.com',
  eab_kid: 'kid-1',
  ca_pem: null,
  status: 'registered' as const,
  account_url: 'https://acme.example.com/account/42',
  thumbprint: 'P9cXd3BNRFbQTsm7kJKOzT2BJGrXLhPHXMxQnVXr0ZQ',
  created_at: '2026-02-01T09:00:00.000Z',
  updated_at: '2026-02-01T09:00:00.000Z',
}

export const certificateExamples = {
  listCertificates: { response: { data: [certificate], meta: { page: 1, per_page: 20, total: 1 } } },
  requestCertificate: {
    body: { domain: 'api.example.com', provider: 'letsencrypt', auto_renew: true },
    response: { ...certificate, domain: 'api.example.com', names: ['api.example.com'], status: 'pending' as const, order },
  },
  preflightCertificate: {
    body: { domain: 'api.example.com', provider: 'letsencrypt' },
    response: {
      ready: false,
      findings: [
        {
          severity: 'error' as const,
          code: 'no_agent',
          name: 'api.example.com',
          message: 'No agent serves api.example.com over plain HTTP, where the CA looks.',
          fix: 'Create a virtual host for api.example.com on the HTTP port or with this certificate, or use dns-01.',
        },
      ],
    },
  },
  getCertificateChain: { response: '-----BEGIN CERTIFICATE-----\nMIIB…\n-----END CERTIFICATE-----\n' },
  listCertificateOrders: { response: { data: [order], meta: { page: 1, per_page: 20, total: 1 } } },
  getCertificate: { response: certificate },
  updateCertificate: { body: { auto_renew: false }, response: { ...certificate, auto_renew: false, renews_at: null } },
  renewCertificate: { body: { skip_preflight: false }, response: { ...certificate, status: 'renewing' as const, order } },
  revokeCertificate: { body: { reason: 'key_compromise' as const }, response: { ...certificate, status: 'revoked' as const } },
  listCertificateInventory: {
    response: {
      data: [
        {
          source: 'found' as const,
          certificate_id: null,
          agent_id: '770e8400-e29b-41d4-a716-446655440002',
          path: '/etc/ssl/old.example.com.pem',
          names: ['old.example.com'],
          server_names: ['old.example.com'],
          subject: 'CN=old.example.com',
          issuer: 'C=US, O=Example, CN=Example CA',
          serial: '0A1B2C',
          fingerprint: '4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce',
          key: 'rsa 2048',
          not_before: '2025-03-09T00:00:00.000Z',
          not_after: '2026-03-09T00:00:00.000Z',
          error: null,
        },
      ],
      meta: { page: 1, per_page: 20, total: 1 },
    },
  },
  getCertificateAuthority: {
    response: {
      workspace_id: certificate.workspace_id,
      certificate_pem: '-----BEGIN CERTIFICATE-----\nMIIB…\n-----END CERTIFICATE-----\n',
      expires_at: '2036-02-01T09:00:00.000Z',
      fingerprint: '6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b',
    },
  },
  createAcmeAccount: {
    body: {
      name: 'Corporate CA',
      directory_url: account.directory_url,
      email: account.email,
      eab_kid: 'kid-1',
      eab_hmac_key: 'c2VjcmV0LXNlY3JldA',
    },
    response: { ...account, status: 'new' as const, account_url: null },
  },
  getAcmeAccount: { response: account },
  listAcmeAccounts: { response: { data: [account], meta: { page: 1, per_page: 20, total: 1 } } },
  updateAcmeAccount: { body: { email: 'ops@example.com' }, response: { ...account, email: 'ops@example.com' } },
  rotateAcmeAccountKey: { response: account },
} satisfies Examples
