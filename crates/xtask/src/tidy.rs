//! `tidy`: the rules of the house that no ready-made tool checks.
//!
//! A rule that must be broken is broken visibly, in a comment on the line or
//! right above it, with the reason; a comment that excuses nothing is itself a
//! finding:
//!
//! ```text
//! // tidy-expect(sleep): the kernel offers nothing else to wait for here
//! ```
//!
//! Not here: what clippy and rustfmt can check.

mod exceptions;
mod finding;
mod headers;
mod imports;
mod lengths;
mod markers;
mod masking;
mod names;
mod sleeping;
mod source;
mod store;

use anyhow::{Result, bail};

use crate::step::Done;
use crate::tidy::finding::Finding;
use crate::tidy::source::Source;
use crate::workspace::Workspace;

/// Checks every source file and manifest, printing each finding.
///
/// # Errors
/// There was a finding, or a file could not be read.
pub(crate) fn run(workspace: &Workspace) -> Result<Done> {
    let mut findings = Vec::new();
    let files = workspace.rust_files()?;
    for path in &files {
        let source = Source::new(path, &workspace.read(path)?);
        findings.extend(check(&source));
    }
    for member in &workspace.crates {
        imports::check(member, &workspace.read(&member.manifest)?, &mut findings);
    }
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("tidy has {} findings", findings.len());
    }
    println!("tidy: {} files and {} manifests are in order", files.len(), workspace.crates.len());
    Ok(Done::Passed)
}

/// All rules about one source file, less what the file excuses.
fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if source.is_generated() {
        return findings;
    }
    headers::check(source, &mut findings);
    lengths::check(source, &mut findings);
    names::check(source, &mut findings);
    markers::check(source, &mut findings);
    sleeping::check(source, &mut findings);
    store::check(source, &mut findings);
    exceptions::apply(source, findings)
}
