//! The shapes of JSON output in `docs/json-schema`, held strictly: what is printed and not described is wrong too.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::Value;

fn read(name: &str) -> Result<Value> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/json-schema");
    let path = dir.join(name).with_extension("json");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))
}

/// Forbids what is not described. The published schemas allow it, since keys may be added.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.get("properties").is_some_and(Value::is_object) && object.contains_key("type")
            {
                object.insert("additionalProperties".into(), false.into());
            }
            object.values_mut().for_each(close);
        }
        Value::Array(list) => list.iter_mut().for_each(close),
        _ => {}
    }
}

/// Fails unless `printed` has the shape of this name, and nothing that the shape does not describe.
pub fn ensure_shape(name: &str, printed: &Value) -> Result<()> {
    let mut schema = read(name)?;
    ensure!(
        jsonschema::meta::is_valid(&schema),
        "{name} is no JSON Schema"
    );
    close(&mut schema);
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .map_err(|error| anyhow!("{name}: {error}"))?;
    let wrong: Vec<String> = validator
        .iter_errors(printed)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    ensure!(
        wrong.is_empty(),
        "not of the shape {name}: {}\n{printed}",
        wrong.join("; ")
    );
    Ok(())
}
