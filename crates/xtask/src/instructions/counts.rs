//! Gungraun's own report, one JSON object a line, as names and numbers.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Adds what the benches of one program took.
///
/// # Errors
/// The report has another shape, or none; a name is there already.
pub(crate) fn collect(report: &str, all: &mut BTreeMap<String, u64>) -> Result<()> {
    let before = all.len();
    for line in report.lines().filter(|line| !line.trim().is_empty()) {
        let value = serde_json::from_str(line).with_context(|| format!("no JSON: {line:.80}"))?;
        let (name, count) =
            read(&value).with_context(|| format!("an unknown shape: {line:.80}"))?;
        if all.insert(name.clone(), count).is_some() {
            bail!("two benches have the name {name}");
        }
    }
    if all.len() == before {
        bail!("no bench told anything");
    }
    Ok(())
}

/// `core/lease/hundred`: folder of the crate, function, case.
fn read(value: &Value) -> Option<(String, u64)> {
    let member = value["package_dir"].as_str()?.rsplit('/').next()?;
    let (function, case) = (value["function_name"].as_str()?, value["id"].as_str()?);
    let profiles = value["profiles"].as_array()?;
    let callgrind = profiles.iter().find(|profile| profile["tool"] == "Callgrind")?;
    let count = callgrind["data"]["total"]["metrics"]["Ir"]["values"]["new"].as_u64()?;
    Some((format!("{member}/{function}/{case}"), count))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As gungraun 0.20 writes it, less what we do not read.
    const LINE: &str = r#"{"function_name":"lease","id":"one","package_dir":"crates/core",
        "profiles":[{"data":{"parts":[],"total":{"metrics":{"Ir":{"values":{"new":20}}}}},
        "tool":"Callgrind"}],"version":"7"}"#;

    fn collected(report: &str) -> Result<BTreeMap<String, u64>> {
        let mut all = BTreeMap::new();
        collect(report, &mut all).map(|()| all)
    }

    #[test]
    fn a_line_becomes_a_name_and_a_number() {
        let all = collected(&LINE.replace('\n', "")).expect("known");
        assert_eq!(all, BTreeMap::from([("core/lease/one".to_owned(), 20)]));
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_so_is_silence() {
        let line = LINE.replace('\n', "");
        assert!(collected("").is_err());
        assert!(collected("running 0 tests").is_err());
        assert!(collected(&line.replace("\"new\"", "\"old\"")).is_err());
        assert!(collected(&format!("{line}\n{line}")).is_err());
    }
}
