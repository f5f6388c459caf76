// The manifest, the sources and the other parts of the repository have to agree.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { FOLDER_COMMANDS, VIEW_COMMANDS, WHOLE_FOLDER_COMMANDS } from "../src/views.js";

const manifest = JSON.parse(readFileSync("package.json", "utf8"));
const commands: string[] = manifest.contributes.commands.map(({ command }: { command: string }) => command);
const menus = Object.values(manifest.contributes.menus).flat() as { command?: string }[];

test("every view has a command in the palette", () => {
  for (const command of VIEW_COMMANDS) {
    assert.ok(commands.includes(command), command);
  }
});

test("commands about a folder are offered whatever is in front", () => {
  const palette = manifest.contributes.menus.commandPalette as { command: string; when: string }[];
  for (const command of FOLDER_COMMANDS) {
    assert.match(palette.find((item) => item.command === command)?.when ?? "", /^workspaceFolderCount > 0/, command);
  }
  assert.equal(FOLDER_COMMANDS.length, 7);
});

test("a folder of the explorer can be explained", () => {
  const items = manifest.contributes.menus["explorer/context"] as { command: string; when: string }[];
  assert.deepEqual(
    items.map(({ command }) => command),
    WHOLE_FOLDER_COMMANDS,
  );
  assert.ok(items.every(({ when }) => when === "explorerResourceIsFolder"));
});

test("every palette command is registered", () => {
  const table = readFileSync("src/commands.ts", "utf8");
  for (const command of commands.filter((name) => !VIEW_COMMANDS.includes(name))) {
    assert.match(table, new RegExp(`^    ${command.replace("kernelscope.", "")}\\b`, "m"), command);
  }
});

test("menus and walkthrough name commands that exist", () => {
  const steps = manifest.contributes.walkthroughs.flatMap(({ steps }: { steps: { description: string }[] }) => steps);
  const linked = steps.flatMap(({ description }: { description: string }) =>
    [...description.matchAll(/command:([\w.]+)/g)].map((match) => match[1]),
  );
  for (const command of [...menus.flatMap(({ command }) => command ?? []), ...linked]) {
    assert.ok(commands.includes(command), command);
  }
});

test("restricted settings exist", () => {
  const settings = manifest.contributes.configuration.flatMap(({ properties }: { properties: object }) =>
    Object.keys(properties),
  );
  for (const name of manifest.capabilities.untrustedWorkspaces.restrictedConfigurations) {
    assert.ok(settings.includes(name), name);
  }
});

test("the extension has the version of the Python project", () => {
  const project = readFileSync("../pyproject.toml", "utf8");
  assert.equal(manifest.version, /^version = "(.*)"/m.exec(project)?.[1]);
});

test("types are those of the oldest editor supported", () => {
  assert.equal(`^${manifest.devDependencies["@types/vscode"]}`, manifest.engines.vscode);
});

test("the lock file names no registry", () => {
  assert.doesNotMatch(readFileSync("package-lock.json", "utf8"), /"resolved"/);
});
