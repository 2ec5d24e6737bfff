//! The keys of JSON objects and the types of their values.

use anyhow::{Context, Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
};
use serde_json::Value;

use super::{PEER_PORT, PORT, list, object, translated};

/// Types of JSON values.
#[derive(Debug, Clone, Copy)]
enum Kinds {
    Word,
    Number,
    Seconds,
    Truth,
    List,
    Nothing,
}

fn ensure_keys(object: &Value, keys: &[(&str, Kinds)]) -> Result<()> {
    for (key, kind) in keys {
        let value = object
            .get(key)
            .with_context(|| format!("no key {key} in {object}"))?;
        let right = match kind {
            Kinds::Word => value.is_string(),
            Kinds::Number => value.is_u64(),
            Kinds::Seconds => value.as_f64().is_some_and(|seconds| seconds >= 0.0),
            Kinds::Truth => value.is_boolean(),
            Kinds::List => value.is_array(),
            Kinds::Nothing => value.is_null(),
        };
        ensure!(right, "{key} is no {kind:?}: {object}");
    }
    Ok(())
}

#[test]
fn json_has_the_keys_that_scripts_rely_on() -> Result<()> {
    use Kinds::{List, Nothing, Number, Seconds, Truth, Word};
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Tc))?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let _connection = translated(&lab, &server, PORT)?;

    let status = object(&isnguard, "status", &[])?;
    let keys = [
        ("attached", List),
        ("mode", Word),
        ("abi_version", Number),
        ("healthy", Truth),
        ("problems", List),
    ];
    ensure_keys(&status, &keys)?;
    ensure!(list(&status, "attached")?.len() == 1, "{status}");
    let keys = [
        ("interface", Word),
        ("placement", Word),
        ("hook", Word),
        ("mode", Word),
        ("program_id", Number),
    ];
    ensure_keys(&status["attached"][0], &keys)?;

    let flows = object(&isnguard, "flows", &[])?;
    ensure!(list(&flows, "flows")?.len() == 1, "{flows}");
    let keys = [
        ("host", Word),
        ("host_port", Number),
        ("peer", Word),
        ("peer_port", Number),
        ("vlan", Nothing),
        ("state", Word),
        ("offset", Number),
        ("host_isn", Number),
        ("wire_isn", Number),
        ("high_water", Number),
        ("age_seconds", Seconds),
        ("idle_seconds", Seconds),
        ("reason", Word),
    ];
    ensure_keys(&flows["flows"][0], &keys)?;

    let counted = object(&isnguard, "stats", &[])?;
    let tables = list(&counted, "tables")?;
    ensure!(!tables.is_empty());
    tables.iter().try_for_each(|table| {
        ensure_keys(
            table,
            &[("name", Word), ("entries", Number), ("capacity", Number)],
        )
    })
}

#[test]
fn json_is_one_object_also_where_nothing_is_attached_and_when_attaching() -> Result<()> {
    use Kinds::{List, Nothing, Number, Truth};
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let keys = [
        ("attached", List),
        ("mode", Nothing),
        ("abi_version", Number),
        ("healthy", Truth),
        ("problems", List),
    ];
    ensure_keys(&object(&isnguard, "status", &[])?, &keys)?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Tc))?;
    let attached = object(&isnguard, "attach", &[])?;
    ensure!(
        attached["adopted"] == true && attached["healthy"] == true,
        "{attached}"
    );
    let detached = object(&isnguard, "detach", &[])?;
    ensure!(detached["detached"] == true, "{detached}");
    Ok(())
}
