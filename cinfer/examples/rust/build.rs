fn main() {
    println!("cargo:rerun-if-changed=../../minnow.h");
    cc::Build::new()
        .file("../../minnow.h")
        .flag("-xc") // the header is the source
        .define("MINNOW_IMPLEMENTATION", None)
        .opt_level(3)
        .compile("minnow");
}
