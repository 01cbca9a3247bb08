/** A colour of one's own, from the id: two people of one name can be told apart. */
export function toHue(user: string): string {
  let hash = 0;
  for (let i = 0; i < user.length; i++) hash = (Math.imul(hash, 31) + user.charCodeAt(i)) | 0;
  // Steps of the golden angle spread neighbours over the circle.
  return String(Math.round(Math.abs(hash % 360) * 137.508) % 360);
}

export function toInitial(name: string): string {
  return ([...name.trim()][0] ?? "·").toLocaleUpperCase();
}
