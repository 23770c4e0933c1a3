import { useEffect, useState } from 'react';
import { wordsOf, type DeliveryWords, type Wish } from '../lib/delivery';
import type { LinkView } from '../rtc/rtc_link';
import { endpointsText } from '../rtc/sdp';
import { linkWords } from '../rtc/words';
import type { Delivery } from './use_delivery';

const kChoices: { wish: Wish; label: string; title: string }[] = [
  { wish: 'auto', label: 'Auto', title: 'Real-time where it brings everything, LL-HLS otherwise' },
  { wish: 'realtime', label: 'Real-time', title: 'WebRTC: a fraction of a second behind' },
  { wish: 'hls', label: 'LL-HLS', title: 'Low-latency HLS: a second or two behind, can go back' },
];

const kSlowMs = 1500; // A connection is usually there long before.

function useIsSlow(link: LinkView | null): boolean {
  const [isSlow, setSlow] = useState(false);
  const isBeginning = link?.phase === 'posting' || link?.phase === 'connecting';
  useEffect(() => {
    setSlow(false);
    if (!isBeginning) return;
    const timer = window.setTimeout(() => setSlow(true), kSlowMs);
    return () => window.clearTimeout(timer);
  }, [isBeginning]);
  return isSlow && isBeginning;
}

// What stands under the picture about a session that is not well. A moment's trouble is not worth words.
function useLinkText(link: LinkView | null): string {
  const [now, setNow] = useState(() => performance.now());
  const isSlow = useIsSlow(link);
  const nextTryMs = link?.nextTryMs ?? null;
  useEffect(() => {
    setNow(performance.now());
    if (nextTryMs === null) return;
    const timer = window.setInterval(() => setNow(performance.now()), 1000);
    return () => window.clearInterval(timer);
  }, [nextTryMs]);
  if (link === null || link.trouble === 'not_live') return '';
  if (link.trouble === null) return isSlow ? 'Looking for a real-time connection…' : '';
  const words = linkWords(link, 'viewer', endpointsText(link.endpoints));
  const waitS = nextTryMs === null ? 0 : Math.ceil((nextTryMs - now) / 1000);
  return waitS > 1 ? `${words} Next try in ${waitS} s.` : words;
}

export function DeliverySwitch({ delivery }: { delivery: Delivery }) {
  const { state, link } = delivery;
  const words: DeliveryWords = wordsOf(state);
  const linkText = useLinkText(state.way === 'realtime' ? link : null);
  const text = [linkText, words.text].filter((part) => part !== '').join(' ');
  return (
    <div className="delivery">
      <div className="segments" role="radiogroup" aria-label="Delivery">
        {kChoices.map(({ wish, label, title }) => (
          <label key={wish} title={title}>
            <input
              type="radio"
              name="delivery"
              value={wish}
              checked={state.wish === wish}
              onChange={() => delivery.wish(wish)}
            />
            <span>
              {label}
              {wish === 'auto' && state.wish === 'auto' && (
                <small>{state.way === 'realtime' ? 'real-time' : 'LL-HLS'}</small>
              )}
            </span>
          </label>
        ))}
      </div>
      <p className="delivery_text" role="status">
        {text}
        {words.canRetry && state.wish === 'auto' && (
          <>
            {' '}
            <button type="button" className="link_button" onClick={delivery.again}>
              Try real-time again
            </button>
          </>
        )}
      </p>
    </div>
  );
}
