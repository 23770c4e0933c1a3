// All drawn here, on a grid of 24, in the colour of the text around them.

const paths = {
  sun: 'M12 7.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9M12 2v3M12 19v3M2 12h3M19 12h3M4.9 4.9 7 7M17 17l2.1 2.1M19.1 4.9 17 7M7 17l-2.1 2.1',
  moon: 'M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5',
  viewers: 'M2 12s3.6-7 10-7 10 7 10 7-3.6 7-10 7-10-7-10-7M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6',
  clock: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 7v5l3.5 2',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  check: 'M5 12.5 10 17.5 19.5 7',
  play: 'M8 5v14l11-7z',
  sound_off: 'M4 9v6h4l5 4.5v-15L8 9zM17 9.5l5 5M22 9.5l-5 5',
  settings: 'M4 7h9M19 7h1M4 17h1M11 17h9M13 4.5h4v5h-4zM6 14.5h4v5H6z',
  statistics: 'M4 20V10M10 20V4M16 20v-7M21 20H3',
  theatre: 'M3 6h18v12H3zM7 9.5v5M17 9.5v5',
  help: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M9.5 9.5a2.5 2.5 0 1 1 3.7 2.2c-.8.4-1.2 1-1.2 1.8M12 16.8v.4',
  close: 'M6 6l12 12M18 6 6 18',
  link: 'M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.3l-1.2 1.2M14 10a4 4 0 0 0-5.7 0l-3 3a4 4 0 0 0 5.7 5.7l1.2-1.2',
  camera: 'M3 7h12v10H3zM15 10.5 21 7v10l-6-3.5',
  camera_off: 'M3 7h9M15 10v7H3V7M15 10.5 21 7v10l-4-2.3M2 2l20 20',
  screen: 'M3 4h18v12H3zM8 20h8M12 16v4',
  microphone: 'M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3M5.5 11a6.5 6.5 0 0 0 13 0M12 17.5V21',
  microphone_off: 'M9 9v2a3 3 0 0 0 4.6 2.5M15 11V6a3 3 0 0 0-5.7-1.3M5.5 11a6.5 6.5 0 0 0 10 5.4M18.5 11c0 .9-.2 1.7-.5 2.5M12 17.5V21M3 3l18 18',
  on_air: 'M12 10.5a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3M8.2 15.8a5.4 5.4 0 0 1 0-7.6M15.8 8.2a5.4 5.4 0 0 1 0 7.6M5.3 18.7a9.5 9.5 0 0 1 0-13.4M18.7 5.3a9.5 9.5 0 0 1 0 13.4',
  eye: 'M2 12s3.6-7 10-7 10 7 10 7-3.6 7-10 7-10-7-10-7M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6',
  eye_off: 'M3 3l18 18M6.5 6.7C3.6 8.5 2 12 2 12s3.6 7 10 7c1.900 0 3.500-.6 4.900-1.400M10 5.200A10 10 0 0 1 12 5c6.400 0 10 7 10 7s-.9 1.800-2.700 3.600',
  away: 'M3 3l18 18M8.5 16.5a5 5 0 0 1 7 0M5 12.8a10 10 0 0 1 5-2.6M19 12.8a10 10 0 0 0-3.5-2.2M2 9a15 15 0 0 1 4-2.6M22 9a15 15 0 0 0-11.5-4M12 20h.01',
  hand: 'M8 12V5.5a1.5 1.5 0 0 1 3 0V11M11 10.5V4a1.5 1.5 0 0 1 3 0v7M14 11V5.5a1.5 1.5 0 0 1 3 0V14M8 12.5 6.5 11a1.600 1.600 0 0 0-2.300 2.200L8 18.5C9.200 20.200 10.800 21 13 21c2.600 0 4-1.800 4-4.5V14',
  chat: 'M4 5h16v11H10l-4.5 4v-4H4z',
  people: 'M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7M2.5 19.5c.5-3.400 3-5.5 6.5-5.5s6 2.100 6.5 5.5M15.5 4.900a3.5 3.5 0 0 1 0 6.200M17.5 14.400c2.200.7 3.600 2.5 4 5.100',
  leave: 'M14 4H5v16h9M10 12h11M17.5 8.5 21 12l-3.5 3.5',
  pin: 'M9 4h6l-.7 6 3.200 3.5h-11L9.700 10zM12 13.5V21',
  grid: 'M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z',
  speaker: 'M3 5h18v14H3zM14 13h5v4h-5z',
  sidebar: 'M3 5h12v14H3zM17.5 5H21v4h-3.5zM17.5 10H21v4h-3.5zM17.5 15H21v4h-3.5z',
  remove: 'M10 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7M3.5 19.5c.5-3.400 3-5.5 6.5-5.5 2 0 3.600.7 4.800 1.800M17 16l4 4M21 16l-4 4',
  sound: 'M4 9v6h4l5 4.5v-15L8 9zM16.5 9a4.5 4.5 0 0 1 0 6M19 6.5a8 8 0 0 1 0 11',
  full_screen: 'M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5',
  previous: 'M15 5l-7 7 7 7',
  next: 'M9 5l7 7-7 7',
  send: 'M4 12 20 4l-4 16-4.5-6.5z',
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}

// A covered walk: roof, three columns, steps.
export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <path d="M16 3.5 3.5 9.5v3h25v-3zM6 15h3.8v9.5H6zm8.1 0h3.8v9.5h-3.8zm8.1 0H26v9.5h-3.8zM3.5 26.5h25v2.5h-25z" />
    </svg>
  );
}
