import assert from "node:assert/strict";
import { test } from "node:test";
import { isViewRequest, placeIn } from "../src/views.js";

test("a link's fragment names line and column from 1", () => {
  assert.deepEqual(placeIn("L12,5"), { line: 12, column: 5 });
  assert.deepEqual(placeIn("L12"), { line: 12, column: 1 });
  assert.deepEqual(placeIn("12,5-14,2"), { line: 12, column: 5 });
  assert.deepEqual(placeIn(""), { line: 1, column: 1 });
  assert.deepEqual(placeIn("L0,0"), { line: 1, column: 1 });
});

test("what the context menu passes is no request of a lens", () => {
  assert.ok(isViewRequest({ uri: "file:///a.py", position: { line: 1, character: 2 } }));
  assert.ok(!isViewRequest({ scheme: "file", path: "/a.py" }));
  assert.ok(!isViewRequest(undefined));
});
