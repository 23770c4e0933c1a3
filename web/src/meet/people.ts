// Reading a participant.

import { Track, type Participant } from 'livekit-client';
import { initialsOf, posterOf } from '../lib/poster';
import { handOrder, kHandAttribute } from './hands';

export const nameOf = (participant: Participant): string => participant.name || participant.identity;

export const labelOf = (participant: Participant): string =>
  participant.isLocal ? `${nameOf(participant)} (you)` : nameOf(participant);

export const handOf = (participant: Participant): string => participant.attributes[kHandAttribute] ?? '';

export const hueOf = (participant: Participant): number => posterOf(participant.identity).hue;
export const initials = (participant: Participant): string => initialsOf(nameOf(participant));

// Identities in the order of their hands.
export const handsOf = (participants: readonly Participant[]): string[] =>
  handOrder(participants.map((one) => ({ identity: one.identity, hand: handOf(one) })));

// Whether a token lets one send this. An empty list of sources means all of them.
export function maySend(participant: Participant, source: Track.Source): boolean {
  const rights = participant.permissions;
  if (rights === undefined) return true;
  if (!rights.canPublish) return false;
  const sources = rights.canPublishSources;
  return sources.length === 0 || sources.some((allowed) => Track.sourceFromProto(allowed) === source);
}

export function mayChat(participant: Participant): boolean {
  return participant.permissions?.canPublishData ?? true;
}

export function mayRaiseHand(participant: Participant): boolean {
  return participant.permissions?.canUpdateMetadata ?? true;
}
