import assert from "node:assert/strict";
import { test } from "node:test";
import { type Exit, reasonOf } from "../src/failure.js";

const exit = (stderr: string[], more: Partial<Exit> = {}): Exit => ({ code: 1, signal: null, stderr, ...more });

test("a traceback becomes its last line", () => {
  const lines = ["Traceback (most recent call last):", '  File "x.py", line 1', "ValueError: no such thing"];
  assert.equal(reasonOf(exit(lines)), "ValueError: no such thing");
});

test("a missing library is named", () => {
  assert.equal(
    reasonOf(exit(["ModuleNotFoundError: No module named 'tree_sitter'"])),
    "the Python library tree_sitter is missing",
  );
  assert.match(reasonOf(exit(["/usr/bin/python3: No module named kernelscope_server"])), /pip install kernelscope/);
});

test("without words there is the status or the signal", () => {
  assert.equal(reasonOf(exit([], { code: 3 })), "it ended with status 3");
  assert.equal(reasonOf(exit([], { code: null, signal: "SIGKILL" })), "it was ended by SIGKILL");
});

test("an executable that does not exist is named", () => {
  const error = Object.assign(new Error("spawn /no/python ENOENT"), { code: "ENOENT", path: "/no/python" });
  assert.equal(reasonOf(exit([], { error })), "/no/python does not exist");
});

test("long lines are cut", () => {
  assert.equal(reasonOf(exit(["x".repeat(500)])).length, 201);
});
