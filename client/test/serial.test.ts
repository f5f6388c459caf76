import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Serial } from "../src/serial.js";

test("runs do not overlap, and requests during a run share the next one", async () => {
  let active = 0;
  let runs = 0;
  const serial = new Serial(async () => {
    active += 1;
    assert.equal(active, 1);
    await sleep(5);
    active -= 1;
    runs += 1;
  });
  await Promise.all([serial.run(), serial.run(), serial.run(), serial.run()]);
  assert.equal(runs, 2);
});

test("a request resolves only after a run that began after it", async () => {
  const seen: number[] = [];
  let setting = 1;
  const serial = new Serial(async () => {
    seen.push(setting);
    await sleep(5);
  });
  serial.run();
  setting = 2;
  await serial.run();
  assert.deepEqual(seen, [1, 2]);
});

test("a failed run does not block the next", async () => {
  let runs = 0;
  const serial = new Serial(async () => {
    runs += 1;
    if (runs === 1) {
      throw new Error("first");
    }
  });
  const first = serial.run();
  const second = serial.run();
  await assert.rejects(first, /first/);
  await second;
  await serial.settled();
  assert.equal(runs, 2);
});
