// The build command of partykit.json, which `partykit dev` runs before it listens anywhere.
if (process.env.TALLYROOM_LOCAL_ONLY === undefined) {
  console.error(
    "`partykit dev` by itself would let the whole network in: rooms, an inspector that runs any code, and files of this machine. " +
      "Start `npm run dev`, or run `npm run prepare` once, after which `npx partykit dev` is reached from this machine alone.",
  );
  process.exitCode = 1;
}
