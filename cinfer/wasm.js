// Runs policies in WebAssembly under Node over recorded inputs: node wasm.js library.wasm < requests > results.
//
// Requests and results are binary; `wasm.py` writes the one and reads the other. A request begins with the length (u32)
// of a JSON head {policy, steps, agents, seed, sample, inputs, outputs, states, heads, choices, box, masked, resets},
// sizes in bytes of one agent's part; then come the policy's bytes, then for each step every input and the mask.
// Results are for each step every output, the states, the action and the probabilities.
"use strict";
const { readFileSync, writeSync } = require("node:fs");

const PAGE = 65536;

/** @param {Uint8Array} request from the first byte on @param {Record<string, any>} c @returns {[Buffer, number]} the
 * results, and how many bytes the request took */
function run(request, c) {
    const length = new DataView(request.buffer, request.byteOffset).getUint32(0, true);
    const head = JSON.parse(new TextDecoder().decode(request.subarray(4, 4 + length)));
    const { steps, agents } = head;
    let at = 4 + length;
    let top = c.library_heap();

    /** Bytes of memory that stay ours; the module itself allocates nothing. @param {number} size */
    function take(size) {
        const start = Math.ceil(top / 64) * 64;
        top = start + size;
        const missing = top - c.memory.buffer.byteLength;
        if (missing > 0) c.memory.grow(Math.ceil(missing / PAGE));
        return start;
    }
    /** The next bytes of the request, copied to an address. @param {number} to @param {number} size */
    function copy(to, size) {
        new Uint8Array(c.memory.buffer, to, size).set(request.subarray(at, at + size));
        at += size;
    }

    const file = take(head.policy);
    copy(file, head.policy);
    const error = take(64);
    const need = c.minnow_size(file, head.policy, error);
    const policy = need && c.minnow_load(file, head.policy, take(need), need, error);
    if (!policy) throw new Error(`error ${new DataView(c.memory.buffer).getInt32(error, true)}`);
    const size = c.minnow_session_size(policy, agents, head.sample);
    if (!size) throw new Error("error 7");
    const session = c.minnow_session_init(policy, agents, head.sample, BigInt(head.seed), take(size), size, error);

    const inputs = head.inputs.map((/** @type {number} */ n) => take(n * agents));
    const pointers = take(4 * inputs.length);
    new Uint32Array(c.memory.buffer, pointers, inputs.length).set(inputs);
    const mask = head.masked ? take(head.choices * agents) : 0;
    const places = head.outputs.map((/** @type {number} */ n, /** @type {number} */ i) => [c.minnow_result(session, i), n]);
    places.push([c.minnow_state(session) + 32, head.states]);
    if (head.heads) places.push([head.box ? c.minnow_action_box(session) : c.minnow_action(session), 4 * head.heads]);
    if (head.choices) places.push([c.minnow_probabilities(session), 4 * head.choices]);

    const results = [];
    for (let step = 0; step < steps; step++) {
        for (const agent of head.resets[step] ?? []) c.minnow_reset(session, agent);
        head.inputs.forEach((/** @type {number} */ n, /** @type {number} */ i) => copy(inputs[i], n * agents));
        if (mask) copy(mask, head.choices * agents);
        const code = c.minnow_step_inputs(session, pointers, mask);
        if (code) throw new Error(`error ${code}`);
        for (const [place, n] of places) results.push(new Uint8Array(c.memory.buffer.slice(place, place + n * agents)));
    }
    return [Buffer.concat(results), at];
}

async function main() {
    const module = await WebAssembly.compile(readFileSync(process.argv[2]));
    for (let requests = readFileSync(0); requests.length; ) {
        const [results, taken] = run(requests, (await WebAssembly.instantiate(module)).exports);
        for (let done = 0; done < results.length; ) done += writeSync(1, results, done);
        requests = requests.subarray(taken);
    }
}

main().catch((error) => {
    console.error(String(error));
    process.exitCode = 1;
});
