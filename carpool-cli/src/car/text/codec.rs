use super::{
    Error, cbor,
    json::{self, Layout},
    json_read, pb,
    value::Value,
};
use carpool_core::codec::{DAG_CBOR, DAG_PB, RAW};

const CBOR: u64 = 0x51;
const DAG_JSON: u64 = 0x0129;
const JSON: u64 = 0x0200;

/// The value that a block is; `None` where it is none, or of no known codec.
pub(super) fn decode(codec: u64, data: &[u8]) -> Option<Value> {
    match codec {
        RAW => Some(Value::Bytes(data.to_vec())),
        DAG_PB => pb::decode(data),
        DAG_CBOR | CBOR => cbor::decode(data),
        DAG_JSON | JSON => json_read::read(data).ok(),
        _ => None,
    }
}

/// The block that a value is.
pub(super) fn encode(codec: u64, value: &Value) -> Result<Vec<u8>, Error> {
    let refused = |expected| Error::Codec { codec, expected };
    let mut out = Vec::new();
    match (codec, value) {
        (RAW, Value::Bytes(bytes)) => out.extend_from_slice(bytes),
        (RAW, _) => return Err(refused("bytes")),
        (DAG_PB, value) => pb::encode(value, &mut out).map_err(refused)?,
        (CBOR | JSON, value) if plain_only(value).is_none() => return Err(refused("no links")),
        (DAG_CBOR | CBOR, value) => cbor::encode(value, &mut out),
        (DAG_JSON | JSON, value) => {
            let text = json::write(value, Layout::Compact, super::MAX_TEXT);
            out = text.ok_or(Error::TooLong { max: super::MAX_TEXT })?.into_bytes();
        }
        _ => return Err(refused("a body in hex: it is not known here")),
    }
    Ok(out)
}

fn plain_only(value: &Value) -> Option<()> {
    let mut links = 0;
    value.clone().each_link(&mut |_| links += 1);
    (links == 0).then_some(())
}
