// Sizes bound to names of dims, as people type them: `B=8, S=4096`.

const UNITS = new Map([
  ["k", 1024],
  ["m", 1024 * 1024],
]);

export type Bindings = Readonly<Record<string, number>>;

/** The bindings in `text`, or one line that says what is wrong with it. */
export function parseBindings(text: string): Bindings | string {
  const bindings: Record<string, number> = {};
  for (const part of text.split(/[,;\n]|\s+(?=[A-Za-z_]\w*\s*=)/).map((item) => item.trim())) {
    if (part === "") {
      continue;
    }
    const match = /^([A-Za-z_][\w.]*)\s*=\s*(\d[\d_]*)\s*([kKmM]?)$/.exec(part);
    const [, name, digits, unit] = match ?? [];
    if (name === undefined || digits === undefined) {
      return `"${part}" is not NAME=NUMBER, such as S=4096 or S=4k`;
    }
    const value = Number(digits.replaceAll("_", "")) * (UNITS.get(unit?.toLowerCase() ?? "") ?? 1);
    if (!Number.isSafeInteger(value)) {
      return `${digits} is too large`;
    }
    bindings[name] = value;
  }
  return bindings;
}

export function formatBindings(bindings: Bindings): string {
  return Object.entries(bindings)
    .map(([name, value]) => `${name}=${value}`)
    .join(", ");
}
