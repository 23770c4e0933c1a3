import { useEffect, useRef, useState } from 'react';

const kFloorDb = -60;
const kFallDbPerS = 30; // The bar falls slowly enough to be read.
const kAnnounceMs = 1000;

// Decibels below full scale of the loudest sample.
export function levelDb(samples: Float32Array): number {
  let peak = 0;
  for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
  return peak <= 0 ? kFloorDb : Math.max(kFloorDb, 20 * Math.log10(peak));
}

// Draws past React: sixty changes a second concern one width alone.
export function LevelMeter({ stream, isMuted }: { stream: MediaStream | null; isMuted: boolean }) {
  const bar = useRef<HTMLDivElement>(null);
  const [said, setSaid] = useState(kFloorDb);
  const [track] = stream?.getAudioTracks() ?? [];
  useEffect(() => {
    if (track === undefined) return;
    const context = new AudioContext();
    const source = context.createMediaStreamSource(new MediaStream([track]));
    const analyser = context.createAnalyser();
    analyser.fftSize = 1024;
    source.connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    let shown = kFloorDb;
    let last = performance.now();
    let loudest = kFloorDb; // Since it was last said.
    let saidMs = 0;
    let frame = 0;
    const draw = (now: number) => {
      analyser.getFloatTimeDomainData(samples);
      const level = levelDb(samples);
      loudest = Math.max(loudest, level);
      shown = Math.max(level, shown - (kFallDbPerS * Math.max(0, now - last)) / 1000, kFloorDb);
      last = now;
      if (bar.current !== null) {
        bar.current.style.clipPath = `inset(0 ${((shown / kFloorDb) * 100).toFixed(1)}% 0 0)`;
      }
      if (now - saidMs > kAnnounceMs) {
        saidMs = now;
        setSaid(Math.round(loudest));
        loudest = kFloorDb;
      }
      frame = requestAnimationFrame(draw);
    };
    frame = requestAnimationFrame(draw);
    // Without a gesture on the page the context sleeps until there is one.
    const wake = () => void context.resume().catch(() => undefined);
    document.addEventListener('pointerdown', wake);
    document.addEventListener('keydown', wake);
    return () => {
      cancelAnimationFrame(frame);
      document.removeEventListener('pointerdown', wake);
      document.removeEventListener('keydown', wake);
      void context.close();
    };
  }, [track]);
  if (track === undefined) return <p className="no_sound">No sound</p>;
  const isClipping = said >= -1;
  return (
    <div className={isMuted ? 'level is_muted' : 'level'}>
      <div
        className="level_bar"
        role="meter"
        aria-label="Sound level"
        aria-valuemin={kFloorDb}
        aria-valuemax={0}
        aria-valuenow={isMuted ? kFloorDb : said}
        aria-valuetext={isMuted ? 'muted' : `${said} decibels`}
      >
        <div className="level_fill" ref={bar} />
      </div>
      <span className="level_text">{isMuted ? 'muted' : isClipping ? 'too loud' : `${said} dB`.replace('-', '−')}</span>
    </div>
  );
}
