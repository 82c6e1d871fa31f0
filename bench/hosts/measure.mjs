// Policies and loops that are timed by the host's clock, in Node and in Chromium alike. Every function takes one object
// and gives one, so that commands can come from outside as JSON.

const PAGE = 65536;

/** @typedef {{ run: (times: number) => Promise<number> | number, output?: () => Promise<number[]> | number[] }} Item */

export class Measure {
    /** @type {Map<string, Item>} */ #items = new Map();
    /** @type {Map<string, WebAssembly.Module>} */ #modules = new Map();

    /** @param {(name: string) => Promise<Uint8Array>} read @param {() => Promise<any>} ort onnxruntime-web */
    constructor(read, ort) {
        this.read = read;
        this.ort = ort;
    }

    /** @param {string} name */
    async instance(name) {
        let module = this.#modules.get(name);
        if (!module) this.#modules.set(name, (module = await WebAssembly.compile(await this.read(name))));
        return /** @type {any} */ ((await WebAssembly.instantiate(module)).exports);
    }

    /** A loop in C, by the names of its functions: `body` takes a number of times, `amount` says what one of them does,
     * `result`, where there is one, what came of all so far.
     * @param {{ key: string, module: string, body: string, amount: string, result?: string }} c */
    async loop(c) {
        const w = await this.instance(c.module);
        const output = c.result ? () => [w[/** @type {string} */ (c.result)]()] : undefined;
        this.#items.set(c.key, { run: (times) => timed(() => w[c.body](times)), output });
        return { amount: w[c.amount]() };
    }

    /** minnow.h. `count`: numbers of the first output.
     * @param {{ key: string, module: string, policy: string, obs: string, agents: number, flags: number,
     *     count: number }} c */
    async minnow(c) {
        const w = await this.instance(c.module);
        let top = w.library_heap();
        const take = (/** @type {number} */ size) => {
            const start = Math.ceil(top / 64) * 64;
            const missing = (top = start + size) - w.memory.buffer.byteLength;
            if (missing > 0) w.memory.grow(Math.ceil(missing / PAGE));
            return start;
        };
        const put = (/** @type {Uint8Array} */ bytes) => {
            const at = take(bytes.length);
            new Uint8Array(w.memory.buffer, at, bytes.length).set(bytes);
            return at;
        };
        const bytes = await this.read(c.policy);
        const error = take(64);
        const file = put(bytes);
        const need = w.minnow_size(file, bytes.length, error);
        const policy = need && w.minnow_load(file, bytes.length, take(need), need, error);
        if (!policy) throw new Error(`error ${new DataView(w.memory.buffer).getInt32(error, true)}`);
        const size = w.minnow_session_size(policy, c.agents, c.flags);
        const session = w.minnow_session_init(policy, c.agents, c.flags, 0n, take(size), size, error);
        const obs = put(await this.read(c.obs));
        const inputs = put(new Uint8Array(new Uint32Array([obs]).buffer));
        /** @param {number} times */
        const step = (times) => {
            for (let i = 0; i < times; i++) {
                const code = w.minnow_step_inputs(session, inputs, 0);
                if (code) throw new Error(`error ${code}`);
            }
        };
        this.#items.set(c.key, {
            run: (times) => timed(() => step(times)),
            output: () => (step(1), [...new Float32Array(w.memory.buffer, w.minnow_result(session, 0), c.count)]),
        });
        return {};
    }

    /** onnxruntime-web. States are fed back as they come.
     * @param {{ key: string, model: string, obs: string, shape: number[],
     *     states: { name: string, shape: number[] }[] }} c */
    async onnx(c) {
        const ort = await this.ort();
        const session = await ort.InferenceSession.create(await this.read(c.model), {
            executionProviders: ["wasm"],
            graphOptimizationLevel: "all",
        });
        const obs = await this.read(c.obs);
        /** @type {Record<string, any>} */
        const feeds = { obs: new ort.Tensor("float32", new Float32Array(obs.slice().buffer), c.shape) };
        for (const { name, shape } of c.states) {
            const size = shape.reduce((a, b) => a * b, 1);
            feeds[name] = new ort.Tensor("float32", new Float32Array(size), shape);
        }
        /** @type {any} */
        let last;
        const step = async (/** @type {number} */ times) => {
            for (let i = 0; i < times; i++) {
                last = await session.run(feeds);
                for (const { name } of c.states) feeds[name] = last[`next_${name}`];
            }
        };
        this.#items.set(c.key, {
            run: async (times) => {
                const start = performance.now();
                await step(times);
                return (performance.now() - start) / 1000;
            },
            output: async () => (await step(1), [...last[session.outputNames[0]].data]),
        });
        return { simd: true, threads: ort.env.wasm.numThreads };
    }

    /** Seconds from the bytes of a module and a policy to the first results. Takes what minnow() takes.
     * @param {any} c */
    async load(c) {
        /** @type {Record<string, Uint8Array>} */
        const files = {};
        for (const name of [c.module, c.policy, c.obs]) files[name] = await this.read(name);
        const fresh = new Measure(async (name) => files[name], this.ort);
        const start = performance.now();
        await fresh.minnow(c);
        await fresh.run({ key: c.key, times: 1 });
        return { seconds: (performance.now() - start) / 1000 };
    }

    /** Seconds of so many times. @param {{ key: string, times: number }} c */
    async run(c) {
        return { seconds: await this.item(c.key).run(c.times) };
    }

    /** The first output of one more step, flat. @param {{ key: string }} c */
    async output(c) {
        return { output: await this.item(c.key).output?.() };
    }

    /** @param {{ key: string }} c */
    async close(c) {
        this.#items.delete(c.key);
        return {};
    }

    /** @param {string} key */
    item(key) {
        const found = this.#items.get(key);
        if (!found) throw new Error(`nothing is called ${key}`);
        return found;
    }
}

/** @param {() => void} body */
function timed(body) {
    const start = performance.now();
    body();
    return (performance.now() - start) / 1000;
}
