//! Our crates and our source files.
//!
//! Crates come from `cargo metadata`, files from the directory itself, so that
//! a new file is checked before it is committed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::Command;

/// Where the workspace is and what it consists of.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// Build output; tools are installed below it.
    pub(crate) target: PathBuf,
    pub(crate) crates: Vec<Crate>,
}

/// One of our crates.
pub(crate) struct Crate {
    pub(crate) name: String,
    /// From the root, with `/`.
    pub(crate) manifest: String,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One entry of a `[dependencies]` table.
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Listed for tests only.
    pub(crate) for_tests: bool,
}

impl Workspace {
    /// Asks cargo about the workspace we stand in.
    pub(crate) fn find() -> Result<Workspace> {
        let words = ["cargo", "metadata", "--no-deps", "--format-version", "1"];
        let text = Command::new(&words).read(Path::new("."))?;
        let value = serde_json::from_str(&text).context("could not read `cargo metadata`")?;
        Workspace::from_metadata(&value).context("`cargo metadata` has an unknown shape")
    }

    fn from_metadata(value: &Value) -> Option<Workspace> {
        let root = PathBuf::from(value["workspace_root"].as_str()?);
        let target = PathBuf::from(value["target_directory"].as_str()?);
        let mut crates = Vec::new();
        for package in value["packages"].as_array()? {
            let manifest = Path::new(package["manifest_path"].as_str()?);
            let mut dependencies = Vec::new();
            for dependency in package["dependencies"].as_array()? {
                dependencies.push(Dependency {
                    name: dependency["name"].as_str()?.to_owned(),
                    for_tests: dependency["kind"].as_str() == Some("dev"),
                });
            }
            crates.push(Crate {
                name: package["name"].as_str()?.to_owned(),
                manifest: relative(&root, manifest),
                dependencies,
            });
        }
        Some(Workspace { root, target, crates })
    }

    /// Paths of our `.rs` files from the root, in order.
    pub(crate) fn rust_files(&self) -> Result<Vec<String>> {
        let mut files = Vec::new();
        collect(&self.root, &mut files)?;
        let mut files: Vec<String> = files.iter().map(|file| relative(&self.root, file)).collect();
        files.sort();
        Ok(files)
    }

    /// The text of one of our files.
    pub(crate) fn read(&self, path: &str) -> Result<String> {
        fs::read_to_string(self.root.join(path)).with_context(|| format!("could not read {path}"))
    }
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let list = || format!("could not list {}", directory.display());
    for entry in fs::read_dir(directory).with_context(list)? {
        let entry = entry.with_context(list)?;
        let path = entry.path();
        if entry.file_type().with_context(list)?.is_dir() {
            if !is_foreign(&path) {
                collect(&path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// Build output (cargo marks it), installed packages, `.git` and its like.
fn is_foreign(directory: &Path) -> bool {
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.')
        || name == "target"
        || name == "node_modules"
        || directory.join("CACHEDIR.TAG").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_and_their_dependencies_come_from_metadata() {
        let value = serde_json::json!({
            "workspace_root": "/w",
            "target_directory": "/t",
            "packages": [{
                "name": "piecework-core",
                "manifest_path": "/w/crates/core/Cargo.toml",
                "dependencies": [
                    { "name": "blake3", "kind": null },
                    { "name": "proptest", "kind": "dev" },
                ],
            }],
        });
        let workspace = Workspace::from_metadata(&value).expect("known shape");
        let core = &workspace.crates[0];
        assert_eq!(core.manifest, "crates/core/Cargo.toml");
        let seen: Vec<_> = core.dependencies.iter().map(|d| (&*d.name, d.for_tests)).collect();
        assert_eq!(seen, [("blake3", false), ("proptest", true)]);
    }

    #[test]
    fn metadata_of_another_shape_is_refused() {
        assert!(Workspace::from_metadata(&serde_json::json!({ "packages": [] })).is_none());
    }
}
