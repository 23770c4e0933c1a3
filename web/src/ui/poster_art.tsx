import { useId, useState } from 'react';
import { posterOf } from '../lib/poster';

const kWidth = 320;
const kHeight = 180;
const kGround = 152;

function archPath(x: number, width: number): string {
  const pillar = width * 0.16;
  const left = x + pillar;
  const right = x + width - pillar;
  const radius = (right - left) / 2;
  return `M${left} ${kGround}V${84 + radius}a${radius} ${radius} 0 0 1 ${radius * 2} 0V${kGround}z`;
}

function DrawnPoster({ name, title }: { name: string; title: string }) {
  const id = useId();
  const { hue, arches, sunX, sunY, initials } = posterOf(name, title);
  const width = kWidth / arches;
  const openings = Array.from({ length: arches }, (_, i) => archPath(i * width, width)).join('');
  const tone = (degrees: number, saturation: number, lightness: number) =>
    `hsl(${(hue + degrees) % 360} ${saturation}% ${lightness}%)`;
  return (
    <svg
      className="poster_art"
      viewBox={`0 0 ${kWidth} ${kHeight}`}
      preserveAspectRatio="xMidYMid slice"
      aria-hidden="true"
      focusable="false"
    >
      <defs>
        <linearGradient id={`${id}sky`} x1="0" y1="0" x2="0" y2="1">
          <stop offset="0" stopColor={tone(0, 46, 30)} />
          <stop offset="0.7" stopColor={tone(28, 48, 52)} />
          <stop offset="1" stopColor={tone(56, 58, 70)} />
        </linearGradient>
        <linearGradient id={`${id}wall`} x1="0" y1="0" x2="0" y2="1">
          <stop offset="0" stopColor={tone(0, 32, 20)} />
          <stop offset="1" stopColor={tone(8, 30, 13)} />
        </linearGradient>
      </defs>
      <rect width={kWidth} height={kHeight} fill={`url(#${id}sky)`} />
      <circle cx={sunX * kWidth} cy={84 + sunY * 60} r="19" fill={tone(70, 85, 84)} opacity="0.9" />
      <path
        d={`M0 ${kGround - 12}q80 -22 160 -8t160 -6V${kHeight}H0z`}
        fill={tone(16, 34, 34)}
        opacity="0.75"
      />
      <path
        fillRule="evenodd"
        d={`M0 66H${kWidth}V${kHeight}H0zM0 ${kHeight}${openings}`}
        fill={`url(#${id}wall)`}
      />
      <path d={`M0 58H${kWidth}V66H0z`} fill={tone(0, 28, 26)} />
      <path d={`M0 ${kGround}H${kWidth}V${kHeight}H0z`} fill={tone(0, 26, 17)} />
      <path d={`M0 ${kGround}H${kWidth}v3H0z`} fill={tone(0, 26, 28)} />
      <text x="14" y="42" className="poster_initials">
        {initials}
      </text>
    </svg>
  );
}

// What is on air, at the address of a picture of it, or a drawing where there is none. Decorative: the name
// stands beside it.
export function PosterArt({ name, title, url }: { name: string; title: string; url: string }) {
  const [failed, setFailed] = useState('');
  return (
    <>
      <DrawnPoster name={name} title={title} />
      {url !== '' && url !== failed && (
        <img
          className="poster_art"
          src={url}
          alt=""
          decoding="async"
          loading="lazy"
          onError={() => setFailed(url)}
        />
      )}
    </>
  );
}
