// Numbers as people read them.

export function formatBitrate(bitsPerSecond: number): string {
  if (!Number.isFinite(bitsPerSecond) || bitsPerSecond <= 0) return '–';
  if (bitsPerSecond < 999_500) return `${Math.round(bitsPerSecond / 1000)} kb/s`;
  const mega = bitsPerSecond / 1e6;
  return `${mega.toFixed(mega < 10 ? 1 : 0)} Mb/s`;
}

// "1.4 s", "48 s", "2:05".
export function formatDelay(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return '–';
  const shown = Math.max(0, seconds);
  if (shown < 9.95) return `${shown.toFixed(1)} s`;
  if (shown < 59.5) return `${Math.round(shown)} s`;
  const whole = Math.round(shown);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

// "42 s", "12 min", "3 h 05 min", "2 d 4 h".
export function formatUptime(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${String(minutes % 60).padStart(2, '0')} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function formatCount(count: number): string {
  if (count < 1000) return String(Math.max(0, Math.round(count)));
  if (count < 999_500) {
    const thousands = count / 1000;
    return `${thousands < 10 ? Math.floor(thousands * 10) / 10 : Math.floor(thousands)}k`;
  }
  return `${Math.floor(count / 1e5) / 10}M`;
}

export const formatViewers = (count: number): string =>
  `${formatCount(count)} ${count === 1 ? 'viewer' : 'viewers'}`;

export function formatFrameRate(rate: number): string {
  if (!Number.isFinite(rate) || rate <= 0) return '';
  const rounded = Math.round(rate);
  return Math.abs(rate - rounded) < 0.005 ? String(rounded) : rate.toFixed(2);
}

// "1080p60", "720p", "1920×800" when the picture is not of a customary height.
export function formatResolution(width: number, height: number, frameRate = 0): string {
  if (width <= 0 || height <= 0) return '';
  const short = Math.min(width, height);
  const customary = [144, 180, 240, 270, 288, 360, 432, 480, 540, 576, 720, 900, 1080, 1440, 2160, 4320];
  const size = customary.includes(short) ? `${short}p` : `${width}×${height}`;
  return size.endsWith('p') && frameRate > 30.5 ? `${size}${Math.round(frameRate)}` : size;
}

export function formatChannels(channels: number): string {
  if (channels === 1) return 'mono';
  if (channels === 2) return 'stereo';
  if (channels === 6) return '5.1';
  if (channels === 8) return '7.1';
  return channels > 0 ? `${channels} channels` : '';
}

export function formatLanguage(language: string): string {
  if (language === '') return '';
  try {
    return new Intl.DisplayNames(undefined, { type: 'language' }).of(language) ?? language;
  } catch {
    return language;
  }
}
