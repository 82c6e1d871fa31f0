/** Keeps the site usable without the network: see sw.js. */

if ("serviceWorker" in navigator) void navigator.serviceWorker.register("sw.js");

export {};
