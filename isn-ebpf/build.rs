//! Rebuilds the object when the linker changes, which cargo does not see.

fn main() {
    let linker =
        which::which("bpf-linker").expect("bpf-linker is not on PATH: run `cargo xtask setup`");
    println!("cargo:rerun-if-changed={}", linker.display());
    println!("cargo:rustc-link-arg-bins=--cpu-features=+allows-misaligned-mem-access");
}
