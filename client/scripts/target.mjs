// Prints this machine's platform in vsce's words, such as linux-x64.
import { existsSync } from "node:fs";

const musl = process.platform === "linux" && existsSync("/etc/alpine-release");
console.log(`${musl ? "alpine" : process.platform}-${process.arch}`);
