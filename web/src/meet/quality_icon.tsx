import { kQualityWords } from './words';

const kBars: Record<string, number> = { excellent: 3, good: 2, poor: 1, lost: 0 };

// Three bars, as phones show reception.
export function QualityIcon({ quality }: { quality: string }) {
  const bars = Object.hasOwn(kBars, quality) ? kBars[quality] : undefined;
  if (bars === undefined) return null;
  const words = kQualityWords[quality] ?? '';
  return (
    <svg className={`quality is_${quality}`} viewBox="0 0 16 16" role="img" aria-label={words}>
      <title>{words}</title>
      {[0, 1, 2].map((i) => (
        <rect
          key={i}
          x={1 + i * 5}
          y={10 - i * 4}
          width="4"
          height={5 + i * 4}
          rx="1"
          opacity={i < bars ? 1 : 0.3}
        />
      ))}
    </svg>
  );
}
