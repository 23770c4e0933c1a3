import { expect, test } from 'vitest';
import { defaultChoices, parseChoices } from './choices';

test('choices come back as they were kept', () => {
  const kept = {
    ...defaultChoices,
    name: 'Anna',
    hasCamera: false,
    microphoneId: 'usb',
    layout: 'sidebar' as const,
  };
  expect(parseChoices(JSON.stringify(kept))).toEqual(kept);
});

test('what cannot be read is the default, field by field', () => {
  expect(parseChoices(null)).toEqual(defaultChoices);
  expect(parseChoices('{')).toEqual(defaultChoices);
  expect(parseChoices('7')).toEqual(defaultChoices);
  const odd = { name: 7, layout: 'circle', cameraId: 'x'.repeat(1000), hasMicrophone: false };
  expect(parseChoices(JSON.stringify(odd))).toEqual({ ...defaultChoices, hasMicrophone: false });
});
