import { explainInput, explanation } from '@nxmesh/model/explanation'
import { ids, route } from '../route.ts'

export const explainRequest = route({
  id: 'workspace.explain',
  method: 'POST',
  path: '/workspaces/{workspace_id}/explain',
  summary: 'Tell what the nginx of an agent does with a request, and why, without sending it',
  access: { on: 'workspace', need: 'viewer' },
  params: ids('workspace_id'),
  body: explainInput,
  response: explanation,
})
