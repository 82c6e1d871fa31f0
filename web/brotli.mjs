/** Writes a `.br` beside each of the files that standard input lists, a JSON array of paths. */

import { readFileSync, writeFileSync } from "node:fs";
import { brotliCompressSync } from "node:zlib";

for (const path of JSON.parse(readFileSync(0, "utf8"))) writeFileSync(`${path}.br`, brotliCompressSync(readFileSync(path)));
