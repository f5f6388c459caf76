// Packages the extension: node scripts/package.mjs TARGET, where TARGET is a platform whose bundle lies in
// build/bundle, or "universal" for the extension without libraries, which runs an installed server.

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

const target = process.argv[2];
const build = path.resolve("../build");
const stage = path.join(build, "stage", target);
rmSync(stage, { recursive: true, force: true });
mkdirSync(stage, { recursive: true });

run("node", ["scripts/build.mjs", "--production"], ".");
for (const name of ["out/extension.js", "images", "syntaxes", "walkthrough"]) {
  cpSync(name, path.join(stage, name), { recursive: true });
}
for (const name of ["README.md", "LICENSE"]) {
  cpSync(path.join("..", name), path.join(stage, name));
}
const manifest = JSON.parse(readFileSync("package.json", "utf8"));
for (const key of ["scripts", "dependencies", "devDependencies"]) {
  delete manifest[key];
}
if (target === "universal") {
  for (const { properties } of manifest.contributes.configuration) {
    if (properties["kernelscope.importStrategy"]) {
      properties["kernelscope.importStrategy"].default = "fromEnvironment";
    }
  }
} else {
  cpSync(path.join(build, "bundle", target), path.join(stage, "bundled"), { recursive: true });
}
writeFileSync(path.join(stage, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);

const vsce = path.resolve("node_modules/@vscode/vsce/vsce");
run("node", [vsce, "package", "--no-dependencies", "--allow-missing-repository", "--no-rewrite-relative-links",
  "--skip-license", ...(target === "universal" ? [] : ["--target", target]),
  "--out", path.join(build, `kernelscope-${target}.vsix`)], stage); // biome-ignore format: one option a word

function run(command, args, cwd) {
  const done = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (done.status !== 0) {
    console.error(`${command} ${args.join(" ")}\n${done.stdout}${done.stderr}${done.error ?? ""}`);
    process.exit(1);
  }
}
