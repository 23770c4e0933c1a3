// One picture of the stage: a camera, a shared screen, or the initials of somebody who sends none.

import {
  isTrackReference,
  useConnectionQualityIndicator,
  useIsSpeaking,
  useParticipantAttribute,
  useParticipantInfo,
  useTrackMutedIndicator,
  VideoTrack,
  type TrackReferenceOrPlaceholder,
} from '@livekit/components-react';
import { Track } from 'livekit-client';
import { useRef } from 'react';
import { Icon } from '../ui/icons';
import { kHandAttribute } from './hands';
import type { Tile } from './layout';
import { hueOf, initials, labelOf } from './people';
import { QualityIcon } from './quality_icon';

export interface StageTile extends Tile {
  trackRef: TrackReferenceOrPlaceholder;
}

interface Props {
  tile: StageTile;
  isPinned: boolean;
  isBig: boolean;
  handPlace: number; // 1: the first who raised a hand; 0 when it is down.
  onPin: (key: string) => void;
}

function Picture({ tile }: { tile: StageTile }) {
  const { trackRef, isScreen, isLocal } = tile;
  const { participant } = trackRef;
  const publication = isTrackReference(trackRef) ? trackRef.publication : undefined;
  if (!isTrackReference(trackRef) || publication === undefined || publication.isMuted) {
    return (
      <div
        className="avatar"
        style={{ '--hue': hueOf(participant) } as React.CSSProperties}
        aria-hidden="true"
      >
        <span>{initials(participant)}</span>
      </div>
    );
  }
  const isPaused = publication.track?.streamState === Track.StreamState.Paused;
  const className = `${isScreen ? 'is_screen' : ''} ${isLocal && !isScreen ? 'is_mirrored' : ''}`.trim();
  return (
    <>
      <VideoTrack trackRef={trackRef} className={className} aria-hidden="true" tabIndex={-1} />
      {isPaused && <p className="tile_note">Paused: the line is too narrow for this picture</p>}
    </>
  );
}

function toggleFullscreen(element: HTMLElement | null): void {
  const change =
    document.fullscreenElement === null ? element?.requestFullscreen() : document.exitFullscreen();
  change?.catch(() => undefined);
}

export function TileView({ tile, isPinned, isBig, handPlace, onPin }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const { participant } = tile.trackRef;
  // Read for being told of changes; the name itself may be empty.
  useParticipantInfo({ participant });
  useParticipantAttribute(kHandAttribute, { participant });
  const isSpeaking = useIsSpeaking(participant);
  const { quality } = useConnectionQualityIndicator({ participant });
  const microphone = { participant, source: Track.Source.Microphone };
  const { isMuted } = useTrackMutedIndicator(microphone);
  const label = tile.isScreen ? `${labelOf(participant)}, screen` : labelOf(participant);
  const isTalking = isSpeaking && !tile.isScreen;
  return (
    <div role="group" aria-label={label} ref={box} className={isTalking ? 'tile is_speaking' : 'tile'}>
      <Picture tile={tile} />
      <div className="tile_top">
        {handPlace > 0 && !tile.isScreen && (
          <span className="tile_hand">
            <Icon name="hand" />
            <span className="visually_hidden">Hand raised, place </span>
            {handPlace}
          </span>
        )}
        {isBig && document.fullscreenEnabled && (
          <button
            type="button"
            className="tile_button"
            aria-label={`Full screen ${label}`}
            title="Full screen"
            onClick={() => toggleFullscreen(box.current)}
          >
            <Icon name="full_screen" />
          </button>
        )}
        <button
          type="button"
          className="tile_button"
          aria-pressed={isPinned}
          aria-label={`Pin ${label}`}
          title={isPinned ? 'Unpin' : 'Pin: keep this one big'}
          onClick={() => onPin(isPinned ? '' : tile.key)}
        >
          <Icon name="pin" />
        </button>
      </div>
      <div className="tile_label">
        {tile.isScreen && <Icon name="screen" />}
        {!tile.isScreen && isMuted && (
          <span className="tile_muted">
            <Icon name="microphone_off" />
            <span className="visually_hidden">Microphone off</span>
          </span>
        )}
        <span className="tile_name">{label}</span>
        {!tile.isScreen && <QualityIcon quality={quality} />}
      </div>
    </div>
  );
}
