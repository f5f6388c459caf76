// Bundles the extension into out/extension.js. `--watch` keeps doing it, `--production` minifies.
import { context } from "esbuild";

const production = process.argv.includes("--production");
const build = await context({
  entryPoints: ["src/extension.ts"],
  outfile: "out/extension.js",
  bundle: true,
  platform: "node",
  format: "cjs",
  target: "node20",
  external: ["vscode"],
  minify: production,
  sourcemap: !production,
  logLevel: "warning",
});
if (process.argv.includes("--watch")) {
  console.log("watching"); // the task's problem matcher waits for it
  await build.watch();
} else {
  await build.rebuild();
  await build.dispose();
}
