import type { DraftState } from "./drafts";
import type { View } from "./view";

/** One message as the log shows it. `opens` and `closes` say where a group of one author and one minute begins and ends. */
export interface Line {
  key: string;
  user: string;
  name: string;
  text: string;
  at: number;
  mine: boolean;
  opens: boolean;
  closes: boolean;
  newDay: boolean;
  /** Set while the message is only ours. */
  draft?: { op: string; fate: DraftState };
}

export function toLines({ chat, drafts, draftBySeq: draftOf, you }: View): Line[] {
  // A message keeps the key of the draft it was, so that what is on the screen stays the same element.
  const sent = chat.messages.map(({ id, user, name, text, at }) => ({
    ...{ key: draftOf.get(id) ?? `said-${id}`, user, name, text, at },
    mine: user === you?.user,
  }));
  const pending = drafts.map(({ op, text, at, state: fate }) => ({
    ...{ key: op, user: you?.user ?? "", name: you?.name ?? "", text, at },
    mine: true,
    draft: { op, fate },
  }));
  const all = [...sent, ...pending];
  return all.map((line, index) => ({
    ...line,
    opens: !isSameGroup(all[index - 1], line),
    closes: !isSameGroup(line, all[index + 1]),
    newDay: !isSameDay(all[index - 1], line),
  }));
}

interface Authored {
  user: string;
  name: string;
  at: number;
}

function isSameGroup(before: Authored | undefined, after: Authored | undefined): boolean {
  if (before === undefined || after === undefined) return false;
  // Somebody may come back under another name, and is then announced anew.
  return before.user === after.user && before.name === after.name && toMinute(before) === toMinute(after);
}

function toMinute({ at }: Authored): number {
  return Math.floor(at / 60_000);
}

function isSameDay(before: Authored | undefined, after: Authored): boolean {
  return before !== undefined && new Date(before.at).toDateString() === new Date(after.at).toDateString();
}
