import type { Fate } from "./drafts";
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
  draft?: { op: string; fate: Fate };
}

export function linesOf({ chat, drafts, draftOf, you }: View): Line[] {
  // A message keeps the key of the draft it was, so that what is on the screen stays the same element.
  const said = chat.messages.map(({ id, user, name, text, at }) => ({
    ...{ key: draftOf.get(id) ?? `said-${id}`, user, name, text, at },
    mine: user === you?.user,
  }));
  const pending = drafts.map(({ op, text, at, fate }) => ({
    ...{ key: op, user: you?.user ?? "", name: you?.name ?? "", text, at },
    mine: true,
    draft: { op, fate },
  }));
  const all = [...said, ...pending];
  return all.map((line, index) => ({
    ...line,
    opens: !together(all[index - 1], line),
    closes: !together(line, all[index + 1]),
    newDay: !sameDay(all[index - 1], line),
  }));
}

interface Written {
  user: string;
  name: string;
  at: number;
}

function together(before: Written | undefined, after: Written | undefined): boolean {
  if (before === undefined || after === undefined) return false;
  // Somebody may come back under another name, and is then announced anew.
  return before.user === after.user && before.name === after.name && minute(before) === minute(after);
}

function minute({ at }: Written): number {
  return Math.floor(at / 60_000);
}

function sameDay(before: Written | undefined, after: Written): boolean {
  return before !== undefined && new Date(before.at).toDateString() === new Date(after.at).toDateString();
}
