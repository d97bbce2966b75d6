// SPDX-License-Identifier: Apache-2.0
// Runs the modules of tests/protocol on MicroPython compiled for a 32-bit machine (WebAssembly): small integers of 31
// bits, as on the board. node run.mjs PACKAGE REPOSITORY MODULE ... prints one JSON line per module: name, passed, failed.
// Each module gets an interpreter of its own. The AES block function, which is hardware on the board, is node's.
import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [packageDir, repository, ...modules] = process.argv.slice(2);
const { loadMicroPython } = await import(pathToFileURL(path.join(packageDir, "micropython.mjs")));

globalThis.aesBlocks = (keyHex, blocksHex) => {
  const key = Buffer.from(keyHex, "hex");
  const cipher = crypto.createCipheriv(`aes-${8 * key.length}-ecb`, key, null);
  cipher.setAutoPadding(false);
  return Buffer.concat([cipher.update(Buffer.from(blocksHex, "hex")), cipher.final()]).toString("hex");
};

const CRYPTOLIB = `
import js

class aes:
    def __init__(self, key, mode):
        if mode != 1 or len(key) not in (16, 32):
            raise ValueError
        self._key = bytes(key).hex()

    def encrypt(self, blocks, into):
        into[:] = bytes.fromhex(js.aesBlocks(self._key, bytes(blocks).hex()))
`;

const PROGRAM = `
import gc
import os
import sys

sys.path[:] = ["/lib", "/tests/protocol"]
os.chdir("/tests/protocol")
gc.threshold(8192)
assert sys.maxsize == 0x7FFFFFFF
passed = failed = 0
module = __import__(NAME)
for key in sorted(dir(module)):
    if key.startswith("test_"):
        gc.collect()
        try:
            getattr(module, key)()
            passed += 1
        except Exception as error:
            failed += 1
            print("FAILED", key)
            sys.print_exception(error, sys.stdout)
`;

function copy(fs_, from, to, ending) {
  fs_.mkdirTree(to);
  for (const name of fs.readdirSync(path.join(repository, from))) {
    if (name.endsWith(ending)) {
      fs_.writeFile(`${to}/${name}`, fs.readFileSync(path.join(repository, from, name)));
    }
  }
}

for (const name of modules) {
  const output = [];
  const mp = await loadMicroPython({ linebuffer: true, stdout: (line) => output.push(line) });
  copy(mp.FS, "firmware/kiezbox/protocol", "/lib/kiezbox/protocol", ".py");
  copy(mp.FS, "tests/protocol", "/tests/protocol", ".py");
  copy(mp.FS, "tests/vectors", "/tests/vectors", ".json");
  mp.FS.writeFile("/lib/kiezbox/__init__.py", "");
  mp.FS.writeFile("/lib/cryptolib.py", CRYPTOLIB);
  let passed = 0;
  let failed = 1;
  try {
    mp.runPython(PROGRAM.replace("NAME", JSON.stringify(name)));
    passed = mp.globals.get("passed");
    failed = mp.globals.get("failed");
  } catch (error) {
    output.push(String(error));
  }
  console.log(JSON.stringify({ name, passed, failed, output: output.join("\n") }));
}
