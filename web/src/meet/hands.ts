// Raised hands: each participant's attribute `hand` is the time at which it went up (ISO 8601), and gone when
// it is down. Pure.

export const kHandAttribute = 'hand';

export interface Person {
  identity: string;
  hand: string; // "" when it is down.
}

// Who raised a hand, first come first. What is not a time goes last: it may come from another program.
export function handOrder(people: readonly Person[]): string[] {
  const timeOf = ({ hand }: Person) => {
    const time = Date.parse(hand);
    return Number.isNaN(time) ? Infinity : time;
  };
  return people
    .filter(({ hand }) => hand !== '')
    .map((person) => ({ ...person, time: timeOf(person) }))
    .sort((a, b) => (a.time === b.time ? (a.identity < b.identity ? -1 : 1) : a.time - b.time))
    .map(({ identity }) => identity);
}
