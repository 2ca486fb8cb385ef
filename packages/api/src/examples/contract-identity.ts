import type { Examples } from './example.ts'

const firstPage = { page: '1', per_page: '20' }

/** The published contract's examples of signing in, organizations and workspaces, as they stand there. */
export const identity = {
  login: {
    body: { email: 'user@example.com', password: 'secure_password' },
    response: {
      access_token: 'eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9...',
      refresh_token: 'dGhpcyBpcyBhIHJlZnJlc2ggdG9rZW4...',
      expires_in: 3600,
      token_type: 'Bearer',
    },
  },
  refresh: { body: { refresh_token: 'dGhpcyBpcyBhIHJlZnJlc2ggdG9rZW4...' } },

  listOrganizations: {
    query: firstPage,
    response: {
      data: [
        {
          id: '550e8400-e29b-41d4-a716-446655440000',
          name: 'Acme Corp',
          slug: 'acme-corp',
          created_at: '2026-01-15T10:30:00Z',
          updated_at: '2026-01-15T10:30:00Z',
        },
      ],
      meta: { page: 1, per_page: 20, total: 1 },
    },
  },
  createOrganization: { body: { name: 'Acme Corp', slug: 'acme-corp' } },
  getOrganization: {},
  updateOrganization: { body: { name: 'Acme Corporation' } },
  deleteOrganization: {},

  listWorkspaces: {
    query: firstPage,
    response: {
      data: [
        {
          id: '660e8400-e29b-41d4-a716-446655440001',
          organization_id: '550e8400-e29b-41d4-a716-446655440000',
          name: 'Production',
          slug: 'production',
          created_at: '2026-01-15T10:30:00Z',
        },
      ],
      meta: { page: 1, per_page: 20, total: 3 },
    },
  },
  createWorkspace: { body: { name: 'Staging', slug: 'staging' } },
  getWorkspace: {},
  updateWorkspace: { body: { name: 'Staging Environment' } },
  deleteWorkspace: {},
} satisfies Examples
