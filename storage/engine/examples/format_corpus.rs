//! Writes the data directory of today's format into the corpus, with what queries must answer about it.
//!
//! `cargo run --release -p orrery-storage --example format_corpus -- storage/engine/tests/formats/v1`. To be run once
//! for every format, when it is new; what is checked in stays as it is, so that every later engine opens it.

#[path = "../tests/support/corpus.rs"]
mod corpus;
#[path = "../tests/support/items.rs"]
mod items;

use std::path::PathBuf;

fn main() -> anyhow::Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).expect("the folder of the format, such as tests/formats/v1"));
    let data = folder.join("data");
    anyhow::ensure!(!data.exists(), "{} is there already; remove it first", data.display());
    corpus::write(&data);
    let answers = serde_json::to_string_pretty(&corpus::answers_of(&data))?;
    std::fs::write(folder.join("answers.json"), answers + "\n")?;
    Ok(())
}
