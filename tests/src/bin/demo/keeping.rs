//! How to enter a laboratory that stays, and how to remove it.

use isn_tests::{gateway::Isnguard, namespace::Namespace, topology::Lab};

/// The lines that tell so.
pub fn instructions(lab: &Lab, isnguard: &Isnguard) -> String {
    let gateway = nsenter(&lab.gateway);
    let product = format!("{gateway} {}", isnguard.binary().display());
    let instance = isnguard.instance();
    let names: Vec<&str> = lab.namespaces().map(Namespace::name).collect();
    let lines = [
        "The laboratory stays. To enter it (only the network namespace, so that BPF pins stay in sight):".to_owned(),
        format!("  host       {} bash", nsenter(&lab.host)),
        format!("  gateway    {gateway} bash"),
        format!("  peer       {} bash", nsenter(&lab.peer)),
        format!("  isnguard   {product} status --instance {instance}"),
        "To remove it:".to_owned(),
        format!("  {product} detach --force --instance {instance}"),
        format!("  for name in {}; do ip netns del $name; done", names.join(" ")),
    ];
    lines.join("\n")
}

fn nsenter(namespace: &Namespace) -> String {
    format!("nsenter --net={}", namespace.path().display())
}
