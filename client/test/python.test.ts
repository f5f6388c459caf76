import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { type Candidate, findPython, isInside, parseVersion, pythonsOnPath, supportedText } from "../src/python.js";

const candidate = (name: string): Candidate => ({ command: [name], origin: "PATH" });
const answers = (table: Record<string, string>) => async (command: readonly string[]) => {
  const answer = table[command.join(" ")];
  if (answer === undefined) {
    throw Object.assign(new Error("spawn"), { code: "ENOENT" });
  }
  return answer;
};

test("a version is read from what Python prints", () => {
  assert.equal(parseVersion("Python 3.12.4\n")?.minor, 12);
  assert.equal(parseVersion("Python 3.14.0+\n")?.text, "3.14.0+");
  assert.equal(parseVersion("Python 2.7.18\n"), undefined);
  assert.equal(parseVersion("Python 3.11.9 (e0d5, Jul 2024)\n[PyPy 7.3.17]\n"), undefined);
  assert.equal(parseVersion("Python 3.13.0 experimental free-threading build\n"), undefined);
  assert.equal(parseVersion("was not found; run without arguments to install from the Microsoft Store"), undefined);
});

test("the first candidate that is new enough wins, and the others say why not", async () => {
  const ask = answers({ old: "Python 3.9.18", good: "Python 3.12.1", better: "Python 3.13.0" });
  const names = ["missing", "old", "good", "better"].map(candidate);
  const { python, rejected } = await findPython(names, { oldest: 11, newest: 14 }, ask);
  assert.deepEqual(python?.command, ["good"]);
  assert.deepEqual(rejected, ["missing (PATH): not found", "old (PATH): 3.9.18 is too old"]);
});

test("compiled libraries bound the version from above, an installed server does not", async () => {
  const ask = answers({ next: "Python 3.15.0" });
  const bundled = await findPython([candidate("next")], { oldest: 11, newest: 14 }, ask);
  assert.match(bundled.rejected[0] ?? "", /newer than the bundled libraries/);
  assert.ok((await findPython([candidate("next")], { oldest: 11, newest: undefined }, ask)).python);
});

test("a candidate is asked once", async () => {
  let asked = 0;
  await findPython([candidate("a"), candidate("a")], { oldest: 11, newest: 14 }, async () => {
    asked += 1;
    return "Python 3.6.15";
  });
  assert.equal(asked, 1);
});

test("PATH is searched without relative entries and without the workspace's environment", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "python-"));
  try {
    writeFileSync(path.join(folder, "python3"), "");
    const found = (PATH: string, workspace: string[]) => [...pythonsOnPath(workspace, { PATH }, "linux")];
    assert.deepEqual(
      found(`.:bin:${folder}`, []).map(({ command }) => command),
      [[path.join(folder, "python3")]],
    );
    assert.deepEqual(found(folder, [folder]), []);
    assert.deepEqual(found(folder, [path.dirname(folder)]), []);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a folder beside another with the same beginning is not inside it", () => {
  assert.equal(isInside("/home/me/project-2/bin", ["/home/me/project"]), false);
  assert.equal(isInside("/home/me/project/.venv/bin/python", ["/home/me/project"]), true);
  assert.equal(isInside("/home/me/project", ["/home/me/project"]), true);
});

test("what is supported, in words", () => {
  assert.equal(supportedText({ oldest: 11, newest: 14 }), "Python 3.11 to 3.14");
  assert.equal(supportedText({ oldest: 11, newest: undefined }), "Python 3.11 or later");
});
