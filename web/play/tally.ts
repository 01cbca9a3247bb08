const SVG = "http://www.w3.org/2000/svg";
/** More than this is a number's task. */
const MAX_STROKES = 15;

/** In the units of the drawing: from one five to the next, to the first stroke in it, and from stroke to stroke. */
const GROUP_WIDTH = 36;
const FIRST_X = 7;
const STROKE_GAP = 5.8;
const MARGIN = 3;

/** Draws a count as it is tallied by hand: four strokes and one across them. */
export function drawTally(svg: SVGSVGElement, count: number): void {
  const strokes = Math.min(count, MAX_STROKES);
  if (svg.childElementCount === strokes) return;
  svg.replaceChildren(...Array.from({ length: strokes }, (_, index) => createStroke(index)));
  // The box ends where the strokes do, so that two of them stand in the middle as well as seven.
  const left = strokes < 5 ? FIRST_X - MARGIN : 0;
  const right = strokes % 5 === 0 ? (strokes / 5) * GROUP_WIDTH - MARGIN : toX(strokes - 1) + MARGIN;
  svg.setAttribute("viewBox", `${left} 0 ${Math.max(right - left, 1)} 24`);
}

function toX(index: number): number {
  return Math.floor(index / 5) * GROUP_WIDTH + FIRST_X + (index % 5) * STROKE_GAP;
}

function createStroke(index: number): SVGPathElement {
  // A hand does not draw twice the same line; this one is at least never quite straight.
  const lean = ((index * 7) % 5) / 5 - 0.4;
  const x = toX(index);
  const start = x - 4 * STROKE_GAP - FIRST_X;
  const path = document.createElementNS(SVG, "path");
  path.setAttribute(
    "d",
    index % 5 === 4
      ? `M${start + 2.4} ${17.8 + lean} ${start + 29.4} ${6.4 - lean}`
      : `M${x + lean} ${3 + lean} ${x - lean} ${20.8 + lean}`,
  );
  return path;
}
