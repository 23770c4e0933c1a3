// Messages as they are shown: cut to a length that a panel bears, with addresses that can be opened. Pure.

export const kMessageMaxChars = 4000; // Of what is sent, and of what is shown of another's.
export const kMessagesShownMax = 300;

export type Piece = { kind: 'text' | 'link'; text: string };

const kUrl = /https?:\/\/[^\s<>"'`]+/gi;

export function piecesOf(message: string): Piece[] {
  const text = message.length <= kMessageMaxChars ? message : `${message.slice(0, kMessageMaxChars)}…`;
  const pieces: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(kUrl)) {
    // What ends a sentence is not part of the address.
    const url = match[0].replace(/[.,;:!?)\]}…]+$/, '');
    if (!/^https?:\/\/[^/?#]/i.test(url)) continue;
    if (match.index > end) pieces.push({ kind: 'text', text: text.slice(end, match.index) });
    pieces.push({ kind: 'link', text: url });
    end = match.index + url.length;
  }
  if (end < text.length) pieces.push({ kind: 'text', text: text.slice(end) });
  return pieces;
}
