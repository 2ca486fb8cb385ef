import { channelChange, channelInput, deliveryStates, notificationChannel, notificationDelivery } from '@nxmesh/model/notification-channel'
import { z } from 'zod'
import { type Patch, patchOf } from '../merge-patch.ts'
import { ids, pageOf, paging, route } from '../route.ts'

export const listNotificationChannels = route({
  id: 'notification-channel.list',
  method: 'GET',
  path: '/workspaces/{workspace_id}/notification-channels',
  summary: 'List the channels by which a workspace tells of events',
  access: { on: 'workspace', need: 'operator' },
  params: ids('workspace_id'),
  query: paging,
  response: pageOf(notificationChannel),
})

export const createNotificationChannel = route({
  id: 'notification-channel.create',
  method: 'POST',
  path: '/workspaces/{workspace_id}/notification-channels',
  summary: 'Create a channel; a secret that the master makes is shown once',
  access: { on: 'workspace', need: 'operator' },
  params: ids('workspace_id'),
  body: channelInput,
  response: notificationChannel,
  status: 201,
})

export const getNotificationChannel = route({
  id: 'notification-channel.get',
  method: 'GET',
  path: '/notification-channels/{notification_channel_id}',
  summary: 'Get a channel',
  access: { on: 'notification_channel', need: 'operator' },
  params: ids('notification_channel_id'),
  response: notificationChannel,
})

export const updateNotificationChannel = route({
  id: 'notification-channel.update',
  method: 'PATCH',
  path: '/notification-channels/{notification_channel_id}',
  summary: 'Change a channel; null as the secret makes a new one, which is shown once',
  access: { on: 'notification_channel', need: 'operator' },
  params: ids('notification_channel_id'),
  body: patchOf(channelChange),
  response: notificationChannel,
})

export const deleteNotificationChannel = route({
  id: 'notification-channel.delete',
  method: 'DELETE',
  path: '/notification-channels/{notification_channel_id}',
  summary: 'Delete a channel and its deliveries',
  access: { on: 'notification_channel', need: 'operator' },
  params: ids('notification_channel_id'),
})

export const testNotificationChannel = route({
  id: 'notification-channel.test',
  method: 'POST',
  path: '/notification-channels/{notification_channel_id}/test',
  summary: 'Send a test event now, once, and tell what came of it',
  access: { on: 'notification_channel', need: 'operator' },
  params: ids('notification_channel_id'),
  response: notificationDelivery,
  waits: true,
})

const deliveryFilters = paging.extend({ state: z.enum(['all', ...deliveryStates]).default('all') })

export type DeliveryFilters = z.output<typeof deliveryFilters>

export const listNotificationDeliveries = route({
  id: 'notification-delivery.list',
  method: 'GET',
  path: '/notification-channels/{notification_channel_id}/deliveries',
  summary: 'List the deliveries of a channel, newest first',
  access: { on: 'notification_channel', need: 'operator' },
  params: ids('notification_channel_id'),
  query: deliveryFilters,
  response: pageOf(notificationDelivery),
})

export const replayNotificationDelivery = route({
  id: 'notification-delivery.replay',
  method: 'POST',
  path: '/notification-deliveries/{notification_delivery_id}/replay',
  summary: 'Deliver the event of a delivery once more',
  access: { on: 'notification_delivery', need: 'operator' },
  params: ids('notification_delivery_id'),
  response: notificationDelivery,
  status: 201,
  errors: ['CONFLICT'],
})

export type ChannelPatch = Patch<z.input<typeof channelChange>>
