//! Builds the BPF programs, which the binary carries inside.

fn main() -> anyhow::Result<()> {
    isn_bpf_build::build("isn-ebpf", "../isn-ebpf", &["../isn-common"])
}
