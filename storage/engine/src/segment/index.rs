//! The index file of a segment: its resources and scopes, and the filters over its traces and attribute values.

use super::filter::TraceFilter;
use super::values::ValueFilter;
use crate::context::{ContextTable, Resource, Scope};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"ORRYIDX1";

/// What the index file holds.
pub(crate) struct Index {
    pub(crate) context: Arc<ContextTable>,
    pub(crate) traces: TraceFilter,
    pub(crate) values: ValueFilter,
}

#[derive(Serialize)]
struct Lists<'a> {
    resources: Vec<&'a Resource>,
    scopes: Vec<&'a Scope>,
    values: &'a ValueFilter,
}

#[derive(Deserialize)]
struct OwnedLists {
    resources: Vec<Resource>,
    scopes: Vec<Scope>,
    /// Not in segments written before there were any: nothing is known of their values.
    #[serde(default)]
    values: ValueFilter,
}

impl Index {
    /// The file: magic, length of the lists, the lists as zstd JSON, then the filter's words.
    pub(crate) fn print(context: &ContextTable, traces: &TraceFilter, values: &ValueFilter) -> Vec<u8> {
        let lists = Lists {
            resources: context.resources().iter().map(|resource| &**resource).collect(),
            scopes: context.scopes().iter().map(|scope| &**scope).collect(),
            values,
        };
        let json = serde_json::to_vec(&lists).expect("lists of text");
        let lists = zstd::bulk::compress(&json, 3).expect("compressing into memory works");
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&(lists.len() as u32).to_le_bytes());
        out.extend_from_slice(&(json.len() as u32).to_le_bytes());
        out.extend_from_slice(&lists);
        out.extend_from_slice(&traces.to_bytes());
        out
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Index, String> {
        let rest = bytes.strip_prefix(MAGIC).ok_or("its first bytes are unknown")?;
        let (lengths, rest) = rest.split_at_checked(8).ok_or("it is cut off")?;
        let length = |at: usize| u32::from_le_bytes(lengths[at..at + 4].try_into().expect("four bytes")) as usize;
        let (lists, filter) = rest.split_at_checked(length(0)).ok_or("it is cut off")?;
        let json = zstd::bulk::decompress(lists, length(4)).map_err(|error| error.to_string())?;
        let lists: OwnedLists = serde_json::from_slice(&json).map_err(|error| error.to_string())?;
        Ok(Index {
            context: Arc::new(ContextTable::new(lists.resources, lists.scopes)),
            traces: TraceFilter::from_bytes(filter),
            values: lists.values,
        })
    }
}
