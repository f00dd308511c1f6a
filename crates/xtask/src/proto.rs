//! `lint-proto`: the rules of the public API's files.
//!
//! buf comes from npm, pinned with its hashes in `tools/buf/`, and is installed
//! below the build output. Without npm the check is skipped, except in CI.
//!
//! Not here: which rules hold (`proto/buf.yaml`).

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::command::Command;
use crate::step::Done;
use crate::workspace::Workspace;

const PINNED: [(&str, &str); 2] = [
    ("package.json", include_str!("../tools/buf/package.json")),
    ("package-lock.json", include_str!("../tools/buf/package-lock.json")),
];

/// Lints `proto/` and compares it with the newest release.
pub(crate) fn run(workspace: &Workspace) -> Result<Done> {
    if !workspace.root.join("proto/buf.yaml").exists() {
        bail!("proto/buf.yaml is missing: buf does not know its rules");
    }
    let Some(buf) = install(&workspace.target.join("tools/buf"))? else {
        if env::var("CI").is_ok_and(|value| value == "true") {
            bail!("npm is missing: in CI the API must be checked");
        }
        return Ok(Done::Skipped("npm is missing, so there is no buf".to_owned()));
    };
    let buf = buf.to_string_lossy();
    Command::new(&[&buf, "lint", "proto"]).run(&workspace.root)?;
    match newest_release(&workspace.root)? {
        Some(tag) => {
            let base = base(&workspace.root, &tag)?;
            Command::new(&[&buf, "breaking", "proto", "--against", &base]).run(&workspace.root)?;
            println!("proto: compatible with {tag}");
        }
        None => println!("proto: no release yet, nothing to be compatible with"),
    }
    Ok(Done::Passed)
}

/// Installs buf into `directory` unless the pinned one is there already.
/// `None`: there is no npm.
fn install(directory: &Path) -> Result<Option<PathBuf>> {
    let buf = directory.join("node_modules/.bin/buf");
    // Written last, so that it vouches for what lies beside it.
    let stamp = directory.join("installed.json");
    let (_, lock) = PINNED[1];
    if buf.exists() && fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(Some(buf));
    }
    if !Command::is_there(&["npm"]) {
        return Ok(None);
    }
    let write = || format!("could not write to {}", directory.display());
    if directory.exists() {
        // npm takes half an installation for a whole one.
        fs::remove_dir_all(directory).with_context(write)?;
    }
    fs::create_dir_all(directory).with_context(write)?;
    for (name, text) in PINNED {
        fs::write(directory.join(name), text).with_context(write)?;
    }
    // No script of a package runs on our machine; buf works without its own.
    // Not `npm ci`: that refuses a lock file without the other platforms, which
    // not every registry offers. The hashes are checked all the same.
    let words =
        ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    Command::new(&words).run(directory)?;
    // npm counts the program itself as optional and may leave it out.
    if !Command::is_there(&[&buf.to_string_lossy()]) {
        bail!(
            "npm installed buf, but it does not start: is its hash right, is there one for this platform?"
        );
    }
    fs::write(stamp, lock).with_context(write)?;
    Ok(Some(buf))
}

fn newest_release(root: &Path) -> Result<Option<String>> {
    if !root.join(".git").exists() {
        return Ok(None);
    }
    let words = ["git", "tag", "--list", "v[0-9]*", "--sort=-version:refname"];
    let tags = Command::new(&words).read(root)?;
    Ok(tags.lines().next().map(str::to_owned))
}

/// How buf names `proto/` as of a tag. The common directory also serves a
/// linked worktree, where `.git` is a file.
fn base(root: &Path, tag: &str) -> Result<String> {
    let words = ["git", "rev-parse", "--path-format=absolute", "--git-common-dir"];
    let directory = Command::new(&words).read(root)?;
    Ok(format!("{}#format=git,tag={tag},subdir=proto", directory.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_pinned_files_name_the_same_version() {
        let [(_, package), (_, lock)] = PINNED;
        let parse = |text| serde_json::from_str::<serde_json::Value>(text).expect("is JSON");
        let wanted = &parse(package)["dependencies"]["@bufbuild/buf"];
        let lock = parse(lock);
        assert_eq!(wanted, &lock["packages"]["node_modules/@bufbuild/buf"]["version"]);
        assert!(wanted.as_str().is_some_and(|version| version.starts_with(char::is_numeric)));
    }
}
