// What a participant chose, kept in the browser for the next meeting. Everything read back is checked.

import { kLayouts, type Layout } from './layout';

export interface Choices {
  name: string;
  hasCamera: boolean;
  hasMicrophone: boolean;
  cameraId: string; // "": the browser's choice.
  microphoneId: string;
  speakerId: string;
  layout: Layout;
}

export const defaultChoices: Choices = {
  name: '',
  hasCamera: true,
  hasMicrophone: true,
  cameraId: '',
  microphoneId: '',
  speakerId: '',
  layout: 'grid',
};

export const kNameMaxChars = 80;
export const kChoicesKey = 'stoa.meet';

const kIdMaxChars = 512;

export function parseChoices(text: string | null): Choices {
  try {
    const value: unknown = JSON.parse(text ?? 'null');
    if (typeof value !== 'object' || value === null) return defaultChoices;
    const fields = value as Record<string, unknown>;
    const textIn = (name: string, max: number) => {
      const field = fields[name];
      return typeof field === 'string' && field.length <= max ? field : '';
    };
    return {
      name: textIn('name', kNameMaxChars),
      hasCamera: fields.hasCamera !== false,
      hasMicrophone: fields.hasMicrophone !== false,
      cameraId: textIn('cameraId', kIdMaxChars),
      microphoneId: textIn('microphoneId', kIdMaxChars),
      speakerId: textIn('speakerId', kIdMaxChars),
      layout: kLayouts.find((layout) => layout === fields.layout) ?? 'grid',
    };
  } catch {
    return defaultChoices;
  }
}
