import assert from "node:assert/strict";
import { test } from "node:test";
import { formatBindings, parseBindings } from "../src/bindings.js";

test("sizes are read as people type them", () => {
  assert.deepEqual(parseBindings("B=8, S=4096"), { B: 8, S: 4096 });
  assert.deepEqual(parseBindings("B=8 S = 4k;config.head_dim=128"), { B: 8, S: 4096, "config.head_dim": 128 });
  assert.deepEqual(parseBindings("N=1_000_000, M=2M"), { N: 1_000_000, M: 2 * 1024 * 1024 });
  assert.deepEqual(parseBindings("  "), {});
});

test("what is wrong is quoted", () => {
  for (const wrong of ["B", "B=x", "8=B", "B=-1", "B=8 9"]) {
    assert.match(String(parseBindings(`S=1, ${wrong}`)), /is not NAME=NUMBER/, wrong);
  }
});

test("writing and reading back gives the same", () => {
  const bindings = { B: 8, head_dim: 128 };
  assert.deepEqual(parseBindings(formatBindings(bindings)), bindings);
});
