//! Finding the locked schema of an event type.

use std::env;
use std::fmt::Write;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::json::Json;
use crate::event::{EventType, Schemas};

/// The lock folder of an event, and what is accepted.
pub(super) struct Lookup {
    folder: PathBuf,
    accepted: String,
}

/// A file that was found.
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// The minor version that it is of: the type's own, or the last one before.
    pub(super) minor: u32,
    file: Json,
}

impl Lookup {
    /// `schemas` beside the package's `Cargo.toml`; or what `schemas` names, from the folder of the file that it is written in, as in
    /// `include!`. None where rustc does not know that file, or where there is nothing to compare with.
    pub(super) fn new(schemas: Option<&Schemas>) -> Option<Self> {
        let folder = match schemas {
            Some(Schemas::Nowhere) => return None,
            Some(Schemas::In(folder)) => folder.span().unwrap().local_file()?.parent()?.join(folder.value()),
            None => Path::new(&env::var_os("CARGO_MANIFEST_DIR")?).join("schemas"),
        };
        // A change that is accepted has to compile before a test can write it down.
        Some(Lookup { folder, accepted: env::var("JITNEY_ACCEPT").unwrap_or_default() })
    }

    /// Whether changes of `event_type` are accepted: `all`, or its name, with or without aggregate and version.
    pub(super) fn accepts(&self, aggregate: &str, event_type: &EventType) -> bool {
        let EventType { name, version, .. } = event_type;
        let version = format!("@{}.{}", version.major, version.minor);
        self.accepted.split(',').map(str::trim).any(|one| {
            let one = one.strip_suffix(&version).unwrap_or(one);
            one == "all" || one == name || one.strip_prefix(aggregate) == Some(&format!("/{name}"))
        })
    }

    /// The file of `event_type`, or that of the minor version before it.
    ///
    /// # Errors
    ///
    /// What to do about a file that cannot be read.
    pub(super) fn find(&self, aggregate: &str, event_type: &EventType) -> Result<Option<Found>, String> {
        let (name, version) = (&event_type.name, event_type.version);
        let folder = self.folder.join(folder_name(aggregate)).join(folder_name(name));
        if !folder.is_dir() {
            return Ok(None);
        }
        // Nobody has so many minor versions that this takes time.
        for minor in (0..=version.minor).rev().take(1000) {
            let path = folder.join(format!("{}.{minor}.json", version.major));
            let damaged = |why: &str| {
                format!(
                    "the locked schema `{}` cannot be read: {why}; restore it from version control",
                    path.display()
                )
            };
            match fs::read_to_string(&path) {
                Ok(text) => {
                    let file = Json::read(&text).ok_or_else(|| damaged("it is no JSON"))?;
                    let path = path.canonicalize().map_err(|error| damaged(&error.to_string()))?;
                    return Ok(Some(Found { path, minor, file }));
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(damaged(&error.to_string())),
            }
        }
        Ok(None)
    }
}

impl Found {
    /// The schema that `schema` stands for, where it is a reference.
    pub(super) fn resolved<'f>(&'f self, schema: &'f Json) -> &'f Json {
        let definition = schema.get("$ref").and_then(Json::text).and_then(|reference| {
            self.file.get("schema")?.get("$defs")?.get(reference.strip_prefix("#/$defs/")?)
        });
        definition.unwrap_or(schema)
    }

    /// The schema of the payload.
    pub(super) fn schema(&self) -> Option<&Json> {
        self.file.get("schema").map(|schema| self.resolved(schema))
    }
}

/// The name of a folder, as the crate writes it that makes the files.
fn folder_name(name: &str) -> String {
    let mut folder = String::with_capacity(name.len());
    for (index, byte) in name.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => folder.push(char::from(byte)),
            b'.' if index > 0 => folder.push('.'),
            _ => write!(folder, "%{byte:02X}").expect("a String takes everything"),
        }
    }
    folder
}
