//! Turns the `.proto` files into Rust, without `protoc`.
//!
//! One list of packages, each with all files of its directory; a package whose
//! directory is absent becomes an empty module.
//!
//! Not here: lint and compatibility of the protos, which are buf's.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use prost::Message;

/// What clients see, with the file its descriptor set goes to.
const PUBLIC: (&str, &str) = ("piecework/v1", "piecework.v1.bin");
/// Values on disk. Never in the public descriptor set, so reflection cannot show them.
const STORAGE: &str = "piecework/storage/v1";

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new("../../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let out = PathBuf::from(env::var("OUT_DIR")?);

    let public = proto_files(root, PUBLIC.0)?;
    let descriptors = protox::Compiler::new([root])?
        .include_imports(true)
        .open_files(&public)?
        // Nothing imports the error details: they travel as `Any`.
        .open_file("google/rpc/error_details.proto")?
        .file_descriptor_set();
    fs::write(out.join(PUBLIC.1), descriptors.encode_to_vec())?;

    let storage = proto_files(root, STORAGE)?;
    if storage.is_empty() {
        fs::write(out.join("piecework.storage.v1.rs"), "")?;
    }
    // Once more, with the comments and with the storage package.
    let sources = protox::compile(public.iter().chain(&storage), [root])?;
    tonic_prost_build::configure()
        // A payload is taken from the received buffer, not copied out of it.
        .bytes(".")
        // Labels and instructions in one order, everywhere and every time.
        .btree_map(".")
        // An idle stream holds no large buffers.
        .codec_path("crate::Codec")
        .extern_path(".google.rpc", "::tonic_types::pb")
        .compile_fds(sources)?;
    Ok(())
}

/// The `.proto` files of one directory in order, relative to `root`.
fn proto_files(root: &Path, package: &str) -> io::Result<Vec<PathBuf>> {
    let directory = root.join(package);
    if !directory.exists() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        if Path::new(&name).extension().is_some_and(|e| e == "proto") {
            files.push(Path::new(package).join(name));
        }
    }
    files.sort();
    Ok(files)
}
