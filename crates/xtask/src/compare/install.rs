//! The programs of others: found, or installed where we may, or asked for.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::Command;

/// Where programs are that only root has in its `PATH`.
const ALSO_IN: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Looks for a program, and installs its package where that is in our power.
///
/// # Errors
/// It is not there; the sentence says what to do.
pub(crate) fn find_or_install(
    program: &str,
    package: &str,
    find: impl Fn() -> Option<PathBuf>,
) -> Result<PathBuf, String> {
    if let Some(found) = find() {
        return Ok(found);
    }
    let advice =
        format!("{program} is not installed; install it (Debian: apt-get install {package})");
    if !rustix::process::geteuid().is_root() || !Command::is_there(&["apt-get"]) {
        return Err(advice);
    }
    eprintln!("installing {package}");
    // Its list of packages may do as it is.
    let _ = apt_get(&["update", "-qq"]);
    match apt_get(&["install", "-y", "-qq", "--no-install-recommends", package]) {
        Ok((_, true)) => find().ok_or(advice),
        Ok((said, false)) => Err(format!("{advice}: {}", said.lines().last().unwrap_or_default())),
        Err(error) => Err(format!("{advice}: {error:#}")),
    }
}

fn apt_get(words: &[&str]) -> anyhow::Result<(String, bool)> {
    let command = Command::new(&[&["apt-get"], words].concat());
    command.with("DEBIAN_FRONTEND", "noninteractive").output(Path::new("/"))
}

/// A program of this name in `PATH`, or where root has its own.
pub(crate) fn in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    in_directories(program, std::env::split_paths(&path).chain(ALSO_IN.map(PathBuf::from)))
}

fn in_directories(program: &str, directories: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    let mut files = directories.map(|directory| directory.join(program));
    // As it is called there: some programs do what their name says, and links have others.
    files.find(|file| file.is_file())
}

/// The directory of programs with the highest version, of those like `{root}/15/bin`.
pub(crate) fn newest_bin(root: &Path) -> Option<PathBuf> {
    let versions = fs::read_dir(root).ok()?.flatten().filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((version, entry.path().join("bin")))
    });
    versions.filter(|(_, bin)| bin.is_dir()).max().map(|(_, bin)| bin)
}

/// User and group with this name, as `/etc/passwd` has them.
pub(crate) fn user(name: &str, passwd: &str) -> Option<(u32, u32)> {
    let is_it = |line: &&str| line.split(':').next() == Some(name);
    let mut numbers = passwd.lines().find(is_it)?.split(':').skip(2);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// What a program says of its version: the first word that begins like one.
pub(crate) fn version(program: &Path) -> Option<String> {
    let words = [program.to_str()?, "--version"];
    let (said, _) = Command::new(&words).output(Path::new("/")).ok()?;
    version_in(&said).map(str::to_owned)
}

fn version_in(said: &str) -> Option<&str> {
    let mut words = said.split_whitespace().map(|word| word.trim_start_matches("v="));
    let is_one = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.');
    words.find(is_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_directory_with_the_program_wins() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let [empty, first, second] =
            ["empty", "first", "second"].map(|name| root.path().join(name));
        for directory in [&empty, &first, &second] {
            fs::create_dir(directory).expect("creates");
        }
        fs::create_dir(empty.join("it")).expect("a directory is no program");
        for directory in [&first, &second] {
            fs::write(directory.join("it"), "").expect("writes");
        }
        let found = in_directories("it", [empty, first.clone(), second].into_iter());
        assert_eq!(found, Some(first.join("it")));
        assert_eq!(in_directories("it", std::iter::empty()), None);
    }

    #[test]
    fn the_newest_version_is_a_number_not_a_text() {
        let root = tempfile::tempdir().expect("a temporary directory");
        for version in ["9", "15", "other"] {
            fs::create_dir_all(root.path().join(version).join("bin")).expect("creates");
        }
        fs::create_dir(root.path().join("16")).expect("creates one without programs");
        assert_eq!(newest_bin(root.path()), Some(root.path().join("15/bin")));
        assert_eq!(newest_bin(&root.path().join("nothing")), None);
    }

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\npostgresql:x:5:6::/:\npostgres:x:101:104:,,,:/:\n";
        assert_eq!(user("postgres", passwd), Some((101, 104)));
        assert_eq!(user("nobody", passwd), None);
        assert_eq!(user("x", "x:x:cut"), None);
    }

    #[test]
    fn versions_are_read_as_programs_say_them() {
        assert_eq!(
            version_in("Redis server v=7.0.15 sha=00000000:0 malloc=x-5.3.0"),
            Some("7.0.15")
        );
        assert_eq!(version_in("postgres (PostgreSQL) 15.18 (Debian 15.18-0)"), Some("15.18"));
        assert_eq!(version_in("no number"), None);
    }

    #[test]
    fn what_is_there_is_not_installed() {
        let found = find_or_install("it", "no-such-package", || Some(PathBuf::from("/it")));
        assert_eq!(found, Ok(PathBuf::from("/it")));
    }
}
