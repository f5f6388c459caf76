import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import {
  type Bundle,
  platformTarget,
  type ServerSettings,
  serverCommand,
  supportedPython,
  wrongPlatform,
} from "../src/launch.js";

const settings: ServerSettings = { interpreter: [], importStrategy: "useBundled", path: [], args: [], cwd: "" };
const bundle: Bundle = { folder: "/ext/bundled", target: "linux-x64", newestMinor: 14 };

test("the bundled server is started isolated, so that no file of the workspace can be imported", () => {
  const command = serverCommand(settings, ["python3"], bundle);
  assert.deepEqual(command, ["python3", "-X", "utf8", "-I", path.join("/ext/bundled", "launch.py")]);
});

test("an installed server is a module, isolated too", () => {
  const command = serverCommand(
    { ...settings, importStrategy: "fromEnvironment", args: ["--x"] },
    ["py", "-3"],
    bundle,
  );
  assert.deepEqual(command, ["py", "-3", "-X", "utf8", "-I", "-m", "kernelscope_server", "--x"]);
});

test("a checkout has no bundle and runs what is installed", () => {
  assert.deepEqual(serverCommand(settings, ["python3"], undefined).slice(-2), ["-m", "kernelscope_server"]);
});

test("a bundle for another platform is named together with the right one", () => {
  assert.equal(wrongPlatform(bundle, "linux-x64"), undefined);
  assert.equal(wrongPlatform(undefined, "linux-x64"), undefined);
  assert.match(
    wrongPlatform(bundle, "darwin-arm64") ?? "",
    /for linux-x64.*this machine is darwin-arm64.*kernelscope-darwin-arm64\.vsix/,
  );
});

test("platforms have vsce's names", () => {
  assert.equal(platformTarget("linux", "x64", false), "linux-x64");
  assert.equal(platformTarget("linux", "arm64", true), "alpine-arm64");
  assert.equal(platformTarget("linux", "arm", false), "linux-armhf");
  assert.equal(platformTarget("win32", "x64", false), "win32-x64");
});

test("only the bundle bounds Python from above", () => {
  assert.deepEqual(supportedPython(bundle, settings), { oldest: 11, newest: 14 });
  assert.deepEqual(supportedPython(bundle, { ...settings, importStrategy: "fromEnvironment" }), {
    oldest: 11,
    newest: undefined,
  });
});
