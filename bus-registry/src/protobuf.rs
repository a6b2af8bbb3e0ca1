//! Bodies in Protobuf, by the `.proto` file that a registry keeps.
//!
//! Payloads go through [Protobuf's mapping to JSON](https://protobuf.dev/programming-guides/json/), with the names that fields
//! have in the file, whole numbers of 64 bits as numbers, and fields that have their default written out: what serde expects.

mod bounded;
mod depth;
mod place;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::FileDescriptorProto;
use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, FileDescriptor, MessageDescriptor, SerializeOptions,
};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

use self::bounded::Bounded;
use crate::{Error, ErrorKind};

/// What the file is called: it comes from a registry, which has no names of files.
const FILE: &str = "schema.proto";

/// A file with its messages, ready for use.
#[derive(Debug)]
pub(crate) struct Protobuf {
    file: FileDescriptor,
    has_any: bool,
}

/// One message of a file, to be written.
#[derive(Debug)]
pub(crate) struct Message {
    descriptor: MessageDescriptor,
    /// What comes before its bytes: where it is in the file.
    place: Vec<u8>,
}

/// Knows one file.
struct One(File);

impl FileResolver for One {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match name {
            FILE => Ok(File::from_file_descriptor_proto(self.0.file_descriptor_proto().clone())),
            other => Err(protox::Error::file_not_found(other)),
        }
    }
}

impl Protobuf {
    /// Reads a file, which may import those of `google/protobuf`: its text, or its descriptor in base 64, as Confluent's client for
    /// Python registers it.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let invalid = |error: protox::Error| {
            Error::new(ErrorKind::InvalidSchema, "the schema is no file of Protobuf that can be read")
                .with_source(error)
        };
        // No file is base 64: it has spaces and semicolons.
        let file = match BASE64.decode(text.trim()) {
            Ok(bytes) => File::from_file_descriptor_proto(named(&bytes)?),
            Err(_) => {
                depth::check_file(text)?;
                File::from_source(FILE, text).map_err(invalid)?
            }
        };
        let mut resolver = ChainFileResolver::new();
        resolver.add(One(file));
        resolver.add(GoogleFileResolver::new());
        let mut compiler = protox::Compiler::with_file_resolver(resolver);
        compiler.open_file(FILE).map_err(invalid)?;
        let pool: DescriptorPool = compiler.descriptor_pool();
        let file = pool.get_file_by_name(FILE).expect("the file was compiled");
        let has_any = depth::has_any(&file);
        Ok(Protobuf { file, has_any })
    }

    /// The message with the full name `name`.
    pub(crate) fn message(&self, name: Option<&str>) -> Result<Message, Error> {
        let none = |why: String| Error::new(ErrorKind::Config, why);
        let name = name.ok_or_else(|| {
            none("a schema of Protobuf needs the name of a message; give the event by `protobuf`".into())
        })?;
        let descriptor = self.file.parent_pool().get_message_by_name(name);
        let descriptor = descriptor.filter(|message| message.parent_file() == self.file);
        let descriptor = descriptor.ok_or_else(|| {
            none(format!("the file has no message `{name}`; its package is part of the name"))
        })?;
        let place = place::written(&descriptor);
        Ok(Message { descriptor, place })
    }

    /// The full name of the message in `bytes`, and its payload as JSON text.
    pub(crate) fn read(&self, bytes: &[u8]) -> Result<(String, Vec<u8>), Error> {
        let (descriptor, bytes) = place::read(&self.file, bytes)?;
        let name = descriptor.full_name().to_owned();
        let message = DynamicMessage::decode(descriptor, bytes)
            .map_err(|error| payload(format!("the body is no `{name}`")).with_source(error))?;
        if self.has_any {
            depth::check_message(&message)?;
        }
        let mut json = Bounded::of(bytes.len());
        let options = SerializeOptions::new()
            .stringify_64_bit_integers(false)
            .use_proto_field_name(true)
            .skip_default_fields(false);
        message
            .serialize_with_options(&mut serde_json::Serializer::new(&mut json), &options)
            .map_err(|error| payload(format!("the `{name}` has no form in JSON")).with_source(error))?;
        Ok((name, json.into_bytes()))
    }
}

/// The descriptor in `bytes`, under the name that files have here.
fn named(bytes: &[u8]) -> Result<FileDescriptorProto, Error> {
    let descriptor = FileDescriptorProto::decode(bytes).map_err(|error| {
        Error::new(ErrorKind::InvalidSchema, "the schema is no descriptor of a file of Protobuf")
            .with_source(error)
    })?;
    Ok(FileDescriptorProto { name: Some(FILE.to_owned()), ..descriptor })
}

impl Message {
    /// The full name.
    pub(crate) fn name(&self) -> &str {
        self.descriptor.full_name()
    }

    /// Appends the payload `json` to `out`.
    pub(crate) fn write(&self, json: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        depth::check_payload(json)?;
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        // A field that the message does not have is an error.
        let options = DeserializeOptions::new().deny_unknown_fields(true);
        let message =
            DynamicMessage::deserialize_with_options(self.descriptor.clone(), &mut deserializer, &options)
                .map_err(|error| {
                    payload(format!("the payload is no `{}`", self.name())).with_source(error)
                })?;
        out.extend_from_slice(&self.place);
        message.encode(out).expect("there is room in memory");
        Ok(())
    }
}

fn payload(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Payload, why)
}

#[cfg(test)]
mod tests;
