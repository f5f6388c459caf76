import assert from "node:assert/strict";
import { test } from "node:test";
import type { CodeLens } from "vscode";
import { LensCommands } from "../src/lenses.js";

/** An editor's commands: those registered, and what was executed. */
class FakeCommands {
  readonly registered = new Map<string, () => unknown>();
  readonly executed: unknown[][] = [];

  registerCommand(id: string, run: () => unknown) {
    this.registered.set(id, run);
    return { dispose: () => this.registered.delete(id) };
  }

  async executeCommand(...call: unknown[]) {
    this.executed.push(call);
  }
}

function lens(line: number): CodeLens {
  const command = { title: "show", tooltip: "why", command: "kernelscope.show", arguments: [{ line }] };
  return { range: undefined, isResolved: true, command } as unknown as CodeLens;
}

test("a lens that was shown before works as long as the extension does", () => {
  const commands = new FakeCommands();
  const lenses = new LensCommands(commands);
  const [old] = lenses.lasting([lens(1)]);
  lenses.lasting([lens(2)]);
  assert.deepEqual(old?.command, { title: "show", tooltip: "why", command: "kernelscope.lens.1" });
  commands.registered.get("kernelscope.lens.1")?.();
  assert.deepEqual(commands.executed, [["kernelscope.show", { line: 1 }]]);
  lenses.dispose();
  assert.equal(commands.registered.size, 0);
});

test("the same lens keeps its command, and what is not asked for again makes room", () => {
  const commands = new FakeCommands();
  const lenses = new LensCommands(commands);
  const [first] = lenses.lasting([lens(-1)]);
  for (let line = 0; line < 3000; line += 1) {
    lenses.lasting([lens(line)]);
    const [again] = lenses.lasting([lens(-1)]);
    assert.equal(again?.command?.command, first?.command?.command);
  }
  assert.equal(commands.registered.size, 2000);
});

test("a command without arguments and a lens without a command are left as they are", () => {
  const lenses = new LensCommands(new FakeCommands());
  const plain = { range: undefined, isResolved: false } as unknown as CodeLens;
  const bare = { ...plain, command: { title: "t", command: "c" } } as unknown as CodeLens;
  assert.deepEqual(lenses.lasting([{ ...plain }, { ...bare }]), [plain, bare]);
});
