// The pictures of a meeting, laid out.

import {
  useParticipants,
  useVisualStableUpdate,
  type TrackReferenceOrPlaceholder,
} from '@livekit/components-react';
import { useState, type ReactNode } from 'react';
import { CopyButton } from '../ui/copy_button';
import { Icon } from '../ui/icons';
import { cutOf, pageOf, pageSizeOf, stageOf, type Layout } from './layout';
import { useMeeting } from './meeting_context';
import { handsOf } from './people';
import { TileView, type StageTile } from './tile';
import { useSize, useSpeaker, useTiles } from './use_stage';

const kGapPx = 8;
const kStripMax = 25; // Pictures beside the big one; the list of people has all.

type Draw = (tile: StageTile) => ReactNode;

// Keeps everybody in place as long as it can, and brings who speaks to the first page.
function useStableTiles(tiles: readonly StageTile[], perPage: number): StageTile[] {
  const byRef = new Map(tiles.map((tile) => [tile.trackRef, tile]));
  const ordered: TrackReferenceOrPlaceholder[] = useVisualStableUpdate([...byRef.keys()], perPage);
  return ordered.map((ref) => byRef.get(ref)).filter((tile) => tile !== undefined);
}

function Grid({ tiles, draw }: { tiles: readonly StageTile[]; draw: Draw }) {
  const [box, size] = useSize<HTMLUListElement>();
  const [page, setPage] = useState(0);
  const perPage = pageSizeOf(size.width, size.height, kGapPx);
  const shown = pageOf(useStableTiles(tiles, perPage), page, perPage);
  const cut = cutOf(shown.tiles.length, size.width, size.height, kGapPx);
  return (
    <div className="grid_frame">
      <ul className="tiles" ref={box} aria-label="Participants" style={{ gap: kGapPx }}>
        {cut.width > 0 &&
          shown.tiles.map((tile) => (
            <li key={tile.key} style={{ width: cut.width, height: cut.height }}>
              {draw(tile)}
            </li>
          ))}
      </ul>
      {shown.pages > 1 && (
        <div className="pager" role="group" aria-label="Pages">
          <button
            type="button"
            className="icon_button"
            aria-label="Previous page"
            disabled={shown.page === 0}
            onClick={() => setPage(shown.page - 1)}
          >
            <Icon name="previous" />
          </button>
          <span>
            Page {shown.page + 1} of {shown.pages}
          </span>
          <button
            type="button"
            className="icon_button"
            aria-label="Next page"
            disabled={shown.page === shown.pages - 1}
            onClick={() => setPage(shown.page + 1)}
          >
            <Icon name="next" />
          </button>
        </div>
      )}
    </div>
  );
}

function Strip({ tiles, draw }: { tiles: readonly StageTile[]; draw: Draw }) {
  const stable = useStableTiles(tiles, kStripMax);
  const more = stable.length - kStripMax;
  return (
    <ul className="strip" aria-label="Other participants">
      {stable.slice(0, kStripMax).map((tile) => (
        <li key={tile.key}>{draw(tile)}</li>
      ))}
      {more > 0 && <li className="strip_more">and {more} more</li>}
    </ul>
  );
}

function Alone() {
  const { roomName } = useMeeting();
  return (
    <p className="alone">
      Nobody else is here yet.
      <CopyButton
        text={`${location.origin}/meet/${roomName}`}
        label="Copy the address of this meeting"
        icon="link"
      >
        Copy the address
      </CopyButton>
    </p>
  );
}

export function Stage({
  layout,
  pinned,
  onPin,
}: {
  layout: Layout;
  pinned: string;
  onPin: (key: string) => void;
}) {
  const { room } = useMeeting();
  const tiles = useTiles(room);
  const speaker = useSpeaker(room);
  const participants = useParticipants({ room });
  const hands = handsOf(participants);
  const { focus, corner, others } = stageOf(tiles, layout, pinned, speaker);
  const draw: Draw = (tile) => (
    <TileView
      tile={tile}
      isPinned={tile.key === pinned}
      isBig={tile === focus}
      handPlace={hands.indexOf(tile.identity) + 1}
      onPin={onPin}
    />
  );
  const isAlone = participants.length === 1;
  return (
    <div className={`pictures is_${focus === null ? 'grid' : others.length > 0 ? 'split' : 'single'}`}>
      {focus !== null && (
        <div className="focus">
          {draw(focus)}
          {corner !== null && <div className="corner">{draw(corner)}</div>}
        </div>
      )}
      {focus === null && <Grid tiles={others} draw={draw} />}
      {focus !== null && others.length > 0 && <Strip tiles={others} draw={draw} />}
      {isAlone && <Alone />}
    </div>
  );
}
