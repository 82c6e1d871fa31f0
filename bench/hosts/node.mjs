// Answers commands, one a line of JSON, under Node: node node.mjs FOLDER [ONNXRUNTIME-WEB's entry].
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { Measure } from "./measure.mjs";

const [folder, entry] = process.argv.slice(2);
const ort = async () => {
    const found = await import(pathToFileURL(entry).href);
    found.env.wasm.numThreads = 1;
    return found;
};
const measure = new Measure((name) => readFile(join(folder, name)), ort);
for await (const line of createInterface({ input: process.stdin })) {
    const { op, ...command } = JSON.parse(line);
    const answer = await measure[op](command).catch((error) => ({ error: String(error) }));
    process.stdout.write(`answer ${JSON.stringify(answer)}\n`); // others may write lines of their own
}
