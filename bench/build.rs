//! Builds the programs that isnguard's are measured against.

fn main() -> anyhow::Result<()> {
    isn_bpf_build::build("isn-bench-ebpf", "ebpf", &[])
}
