//! Who may import whom, read from the manifests.
//!
//! Not here: modules inside a crate; the compiler keeps those.

use crate::tidy::finding::Finding;
use crate::workspace::Crate;

/// Each of our crates, and ours that it may import, also in its tests.
const MAY_IMPORT: [(&str, &[&str]); 9] = [
    ("piecework-core", &[]),
    ("piecework-proto", &[]),
    ("piecework-storage", &["piecework-core", "piecework-proto"]),
    ("piecework-server", &["piecework-core", "piecework-storage", "piecework-proto"]),
    ("piecework-client", &["piecework-proto"]),
    ("piecework-sim", &["piecework-core", "piecework-storage", "piecework-server"]),
    ("piecework", &["piecework-server", "piecework-client", "piecework-proto"]),
    ("peers", &[]),
    ("piecework-xtask", &[]),
];

/// Crates of others that only some of ours may import outside their tests.
const KEPT_TO: [(&str, &[&str], &str); 5] = [
    ("sled", &["piecework-storage"], "another store must be one file"),
    ("redis", &["peers"], "it is measured, never used"),
    ("tokio-postgres", &["peers"], "it is measured, never used"),
    (
        "anyhow",
        &["piecework", "piecework-sim", "piecework-xtask", "peers"],
        "a library has typed errors",
    ),
    (
        "tokio",
        &[
            "piecework",
            "piecework-client",
            "piecework-proto",
            "piecework-server",
            "piecework-sim",
            "peers",
        ],
        "async begins in the server",
    ),
];

/// What would let a clock, a log or a socket into the engine.
const NOT_IN_CORE: [&str; 9] =
    ["getrandom", "libc", "log", "metrics", "prost", "rand", "rustix", "tonic", "tracing"];

/// The rules about one crate. `manifest`: its text.
pub(crate) fn check(member: &Crate, manifest: &str, findings: &mut Vec<Finding>) {
    let mut report = |line: usize, rule, advice: String| {
        findings.push(Finding::new(&member.manifest, line, rule, advice));
    };
    if !takes_our_lints(manifest) {
        let advice = "add `[lints]` with `workspace = true`";
        report(1, "lints", advice.to_owned());
    }
    let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == member.name) else {
        let advice = "say whom this crate may import, in crates/xtask/src/tidy/imports.rs";
        report(1, "imports", advice.to_owned());
        return;
    };
    for dependency in &member.dependencies {
        let name = dependency.name.as_str();
        let line = line_of(manifest, name);
        let is_ours = MAY_IMPORT.iter().any(|(ours, _)| *ours == name);
        if is_ours && !allowed.contains(&name) {
            let advice = format!("{} may not import {name}; one direction only", member.name);
            report(line, "imports", advice);
        }
        if dependency.for_tests {
            continue;
        }
        let kept = KEPT_TO.iter().find(|(kept, ..)| *kept == name);
        if let Some((_, to, why)) = kept.filter(|(_, to, _)| !to.contains(&&*member.name)) {
            let advice = format!("{name} is kept to {}: {why}", to.join(", "));
            report(line, "imports", advice);
        }
        if member.name == "piecework-core" && NOT_IN_CORE.contains(&name) {
            let advice = format!("the engine is a function: {name} stays outside");
            report(line, "imports", advice);
        }
    }
}

/// `[lints]` followed by `workspace = true` before the next table.
fn takes_our_lints(manifest: &str) -> bool {
    let lines = manifest.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    lines
        .skip_while(|line| *line != "[lints]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .any(|line| line.replace(' ', "") == "workspace=true")
}

/// The line that names a dependency, from 1.
fn line_of(manifest: &str, name: &str) -> usize {
    let names = |line: &str| {
        let rest = line.trim_start().strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
    };
    manifest.lines().position(names).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Dependency;

    const MANIFEST: &str =
        "[package]\n\n[dependencies]\ntokio.workspace = true\n\n[lints]\nworkspace = true\n";

    fn findings(name: &str, dependencies: &[(&str, bool)], manifest: &str) -> Vec<String> {
        let dependencies = dependencies.iter().map(|(name, for_tests)| Dependency {
            name: (*name).to_owned(),
            for_tests: *for_tests,
        });
        let member = Crate {
            name: name.to_owned(),
            manifest: "Cargo.toml".to_owned(),
            dependencies: dependencies.collect(),
        };
        let mut findings = Vec::new();
        check(&member, manifest, &mut findings);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn imports_go_one_way_even_in_tests() {
        assert!(findings("piecework-storage", &[("piecework-core", false)], MANIFEST).is_empty());
        for for_tests in [false, true] {
            let found = findings("piecework-core", &[("piecework-storage", for_tests)], MANIFEST);
            assert_eq!(found.len(), 1, "{found:?}");
        }
    }

    #[test]
    fn some_crates_are_kept_to_some_of_ours() {
        let found = findings("piecework-storage", &[("tokio", false)], MANIFEST);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("Cargo.toml:4: tokio is kept to piecework, "), "{found:?}");
        assert!(findings("piecework-storage", &[("tokio", true)], MANIFEST).is_empty());
        assert!(findings("piecework-server", &[("tokio", false)], MANIFEST).is_empty());
        assert_eq!(findings("piecework-server", &[("sled", false)], MANIFEST).len(), 1);
        assert_eq!(findings("piecework-core", &[("tracing", false)], MANIFEST).len(), 1);
    }

    #[test]
    fn an_unknown_crate_must_be_placed() {
        assert_eq!(findings("piecework-new", &[], MANIFEST).len(), 1);
    }

    #[test]
    fn every_manifest_takes_the_lints_of_the_workspace() {
        for wrong in
            ["[package]\n", "[lints]\n[x]\nworkspace = true\n", "# [lints]\nworkspace = true\n"]
        {
            assert_eq!(findings("piecework-core", &[], wrong).len(), 1, "{wrong}");
        }
    }
}
